//! Instances on several machines that share the work of asking.

use consul_tests::wait::check;
use consul_tests::{Agent, Setup, Templates, eventually};
use serde_json::Value;

use super::register;

/// Destinations are part of what makes two templates the same, so each instance writes to its own directory.
const CONFIG: &str = "deduplicate { enabled = true ttl = \"10s\" }\n\
                      template { contents = \"{{ range service `web` }}{{ .Port }} {{ end }}{{ key `a` }}\" destination = \"out\" }";
/// What only those do who ask the agent for themselves.
const ASKS: &str = "adding health.service";

/// The sessions that hold the locks of templates.
async fn holders(agent: &Agent) -> Vec<String> {
    let reply = agent.get("/v1/kv/consul-template/dedup/?recurse").await;
    let keys: Vec<Value> =
        if reply.status == 200 { reply.json().as_array().cloned().unwrap_or_default() } else { Vec::new() };
    keys.iter().map(|key| key["Session"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn one_of_two_holds_the_lock_and_both_render() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "x").await.ok();
    register(&agent, "web-1", "web", 1, &[]).await;
    let places = [Templates::of(&agent), Templates::of(&agent)];
    let mut programs = Vec::new();
    for place in &places {
        programs.push(place.configured(CONFIG));
    }
    for place in &places {
        place.reads("out", "1 x").await;
    }
    let before = holders(&agent).await;
    assert!(before.len() == 1 && !before[0].is_empty(), "{before:?}");
    let session = agent.get(&format!("/v1/session/info/{}", before[0])).await.ok().json();
    assert_eq!((&session[0]["Behavior"], &session[0]["TTL"]), (&"delete".into(), &"10s".into()), "{session}");
    register(&agent, "web-2", "web", 2, &[]).await;
    for place in &places {
        place.reads("out", "1 2 x").await;
    }
    let asking: Vec<_> = places.iter().map(|place| place.log().contains(ASKS)).collect();
    assert_eq!(asking.iter().filter(|asks| **asks).count(), 1, "only one asks: {asking:?}");

    // The holder dies without a word; the other takes over when its session has expired.
    let (holder, other) = if asking[0] { (0, 1) } else { (1, 0) };
    let program = programs.remove(holder);
    program.kill();
    register(&agent, "web-3", "web", 3, &[]).await;
    places[other].reads("out", "1 2 3 x").await;
    let after = holders(&agent).await;
    assert!(after.len() == 1 && !after[0].is_empty() && after != before, "{before:?} {after:?}");
    programs.remove(0).stop().await;
    eventually("the lock is given back", async || {
        let left = holders(&agent).await;
        check(left.iter().all(String::is_empty), left)
    })
    .await;
}

#[tokio::test]
async fn locks_that_vanish_are_taken_again_and_changes_go_on_to_show() {
    let mut agent = Setup::server("n1").start().await;
    agent.put("/v1/kv/a", "0").await.ok();
    let places = [Templates::of(&agent), Templates::of(&agent)];
    let programs = places.each_ref().map(|place| place.configured(CONFIG));
    for place in &places {
        place.reads("out", "0").await;
    }
    // An operator tidies up.
    agent.delete("/v1/kv/consul-template/?recurse").await.ok();
    agent.put("/v1/kv/a", "1").await.ok();
    for place in &places {
        place.reads("out", "1").await;
    }
    // Somebody ends the sessions.
    for session in agent.get("/v1/session/list").await.ok().json().as_array().into_iter().flatten() {
        agent.put(&format!("/v1/session/destroy/{}", session["ID"].as_str().unwrap()), "").await.ok();
    }
    agent.put("/v1/kv/a", "2").await.ok();
    for place in &places {
        place.reads("out", "2").await;
    }
    agent.kill();
    agent.restart().await;
    agent.put("/v1/kv/a", "3").await.ok();
    for place in &places {
        place.reads("out", "3").await;
    }
    eventually("one holds the lock again", async || {
        let holders = holders(&agent).await;
        check(holders.len() == 1 && !holders[0].is_empty(), holders)
    })
    .await;
    for program in programs {
        program.stop().await;
    }
}
