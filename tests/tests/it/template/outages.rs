//! What Consul does to templates: agents that die, services that vanish, checks that flap.

use std::time::{Duration, Instant};

use consul_tests::wait::check;
use consul_tests::{Agent, Setup, Templates, binary, eventually};

use super::{deregister, external, register};

#[tokio::test]
async fn rendering_goes_on_after_the_agent_was_killed_and_started_again() {
    let mut agent = Setup::server("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    register(&agent, "web", "web", 80, &[]).await;
    let place = Templates::of(&agent);
    place.write("in", "{{ key \"a\" }}{{ range service \"web\" }} {{ .Port }}{{ end }}\n");
    let mut program = place.start(&[
        "-template",
        "DIR/in:DIR/out:cat DIR/out >> DIR/history",
        "-status-file=DIR/status.json",
    ]);
    place.reads("history", "1 80\n").await;
    for round in 2..=3 {
        let before = place.read("out");
        let missed = ["(view) kv.block(a): ", "(view) health.service(web|passing): "]
            .map(|line| (line, place.log().matches(line).count()));
        agent.kill();
        eventually("both watchers miss the agent", async || {
            let log = place.log();
            check(missed.iter().all(|(line, before)| log.matches(line).count() > *before), log)
        })
        .await;
        assert!(program.is_running());
        assert_eq!(place.read("out"), before, "the last good file stands");
        agent.restart().await;
        agent.put("/v1/kv/a", round.to_string()).await.ok();
        place.reads("out", &format!("{round} 80\n")).await;
    }
    eventually("nothing is waited for any more", async || {
        let status = place.status();
        check(status["templates"][0]["waits_for"].as_array().is_some_and(Vec::is_empty), status)
    })
    .await;
    program.stop().await;
    let history = place.read("history");
    assert!(
        history.lines().all(|line| line.ends_with(" 80")),
        "the outage never showed as absence: {history}"
    );
}

#[tokio::test]
async fn a_service_that_vanishes_empties_the_file_unless_a_guard_objects() {
    let agent = Setup::dev("n1").start().await;
    for port in 1..=4 {
        register(&agent, &format!("web-{port}"), "web", port, &[]).await;
    }
    let place = Templates::of(&agent);
    let block = |name: &str, guard: &str| {
        format!(
            "template {{\n contents = \"{{{{ range service `web` }}}}{{{{ .Port }}}} {{{{ end }}}}\"\n \
             destination = \"DIR/{name}\"\n {guard}\n}}\n"
        )
    };
    let program = place.configured(&format!(
        "status_file = \"DIR/status.json\"\n{}{}{}",
        block("plain", ""),
        block("least", "min_instances = 2"),
        block("shrink", "max_shrink = \"50%\"")
    ));
    for name in ["plain", "least", "shrink"] {
        place.reads(name, "1 2 3 4 ").await;
    }
    let body: Vec<_> = (1..=4).map(|port| format!("web-{port}")).collect();
    for id in &body {
        agent.put(&format!("/v1/agent/service/maintenance/{id}?enable=true"), "").await.ok();
    }
    place.reads("plain", "").await;
    place.logs("fewer than min_instances = 2").await;
    place.logs("by more than max_shrink = 50%").await;
    // Down to the guards they went, and no further.
    assert!(place.read("least").split_whitespace().count() >= 2, "{:?}", place.read("least"));
    assert!(!place.read("shrink").is_empty());
    eventually("the status tells of both", async || {
        let status = place.status();
        let errors = status["templates"].as_array().cloned().unwrap_or_default();
        let count = errors.iter().filter(|template| template["last_error"].is_string()).count();
        check(count == 2, status)
    })
    .await;
    for id in &body {
        agent.put(&format!("/v1/agent/service/maintenance/{id}?enable=false"), "").await.ok();
    }
    for name in ["plain", "least", "shrink"] {
        place.reads(name, "1 2 3 4 ").await;
    }
    for id in &body {
        deregister(&agent, id).await;
    }
    place.reads("plain", "").await;
    assert!(!place.read("least").is_empty() && !place.read("shrink").is_empty());
    program.stop().await;
}

#[tokio::test]
async fn flapping_checks_lead_to_no_more_files_than_the_wait_allows() {
    const LEAST: Duration = Duration::from_millis(400);
    let agent = Setup::dev("n1").start().await;
    agent.put_json("/v1/catalog/register", &external("x0", "web", 1, "passing")).await.ok();
    let place = Templates::of(&agent);
    place.write("in", "{{ range service \"web\" }}{{ .Node }} {{ end }}\n");
    let program =
        place.start(&["-wait=400ms:1s", "-template", "DIR/in:DIR/out:echo $(cat DIR/out) >> DIR/rendered"]);
    place.reads("out", "x0 \n").await;
    let rendered = || place.read("rendered").lines().count();
    let began = Instant::now();
    let mut every = tokio::time::interval(Duration::from_millis(10));
    let mut flips = 0_u32;
    // The data never rests, so files come only because waiting has an end.
    while rendered() < 6 {
        assert!(began.elapsed() < consul_tests::SOON, "renders while it flaps: {}", place.log());
        every.tick().await;
        flips += 1;
        let status = if flips.is_multiple_of(2) { "passing" } else { "critical" };
        let node = format!("x{}", flips % 7);
        agent.put_json("/v1/catalog/register", &external(&node, "web", 1, status)).await.ok();
    }
    let most = began.elapsed().as_millis() / LEAST.as_millis() + 2;
    let found = rendered();
    assert!(u128::try_from(found).unwrap() <= most, "{found} files from {flips} changes, {most} allowed");
    for node in 0..7 {
        let body = external(&format!("x{node}"), "web", 1, "passing");
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    place.reads("out", "x0 x1 x2 x3 x4 x5 x6 \n").await;
    program.stop().await;
}

/// More dependencies than an agent grants connections to one client by default.
async fn more_services_than_connections(agent: Agent) {
    const SERVICES: u16 = 250;
    for number in 1..=SERVICES {
        let body = external("x0", &format!("s{number:03}"), number, "passing");
        agent.put_json("/v1/catalog/register", &body).await.ok();
    }
    let place = Templates::of(&agent);
    place.write(
        "in",
        "{{ range services }}{{ .Name }}:{{ range service .Name }} {{ .Port }}{{ end }}\n{{ end }}{{ key \"a\" }}",
    );
    let program = place.start(&["-template", "DIR/in:DIR/out"]);
    agent.put("/v1/kv/a", "end").await.ok();
    let text = place.until("out", |text| text.ends_with("end")).await;
    assert!((1..=SERVICES).all(|number| text.contains(&format!("\ns{number:03}: {number}\n"))), "{text}");
    place.logs("share the connections to the agent").await;
    // First and last alike are still followed.
    for number in [1, 125, SERVICES] {
        let body = external("x0", &format!("s{number:03}"), 1000 + number, "passing");
        agent.put_json("/v1/catalog/register", &body).await.ok();
        place.until("out", |text| text.contains(&format!("\ns{number:03}: {}\n", 1000 + number))).await;
    }
    assert!(!place.log().contains("retry attempt"), "{}", place.log());
    program.stop().await;
}

#[tokio::test]
async fn more_services_than_the_agent_grants_connections_take_turns() {
    more_services_than_connections(Setup::dev("n1").start().await).await;
}

#[tokio::test]
async fn more_services_than_hashicorps_agent_grants_connections_take_turns() {
    let Some(reference) = binary::reference() else { return };
    more_services_than_connections(Setup::dev("n1").program(&reference).start().await).await;
}

#[tokio::test]
async fn an_agent_that_is_away_at_the_start_is_waited_for() {
    let mut agent = Setup::server("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    agent.kill();
    let place = Templates::of(&agent);
    place.write("out", "of old");
    place.write("in", "{{ key \"a\" }}");
    let program = place.start(&["-template", "DIR/in:DIR/out"]);
    place.logs("retry attempt 1 after").await;
    assert_eq!(place.read("out"), "of old");
    // A reload changes nothing about that.
    program.signal(nix::sys::signal::Signal::SIGHUP);
    place.logs("Reloading configuration").await;
    agent.restart().await;
    place.reads("out", "1").await;
    program.stop().await;
}

#[tokio::test]
async fn what_the_token_may_not_read_is_said_and_rendered_once_it_may() {
    let Some(reference) = binary::reference() else { return };
    let acl = serde_json::json!({"enabled": true, "default_policy": "deny", "tokens": {"master": "root"}});
    let agent = Setup::server("n1").program(&reference).config(|config| config["acl"] = acl).launch();
    let root = async |path: &str, body: &str| {
        let request = agent.http().put(agent.url(path)).header("X-Consul-Token", "root");
        let response = request.body(body.to_owned()).send().await.map_err(|error| error.to_string())?;
        let reply = consul_tests::Reply::read(response).await.map_err(|error| error.to_string())?;
        if reply.status == 200 { Ok(reply) } else { Err(reply.text()) }
    };
    eventually("the agent takes writes", async || root("/v1/kv/a", "1").await).await;
    let token =
        root("/v1/acl/token", r#"{"Description": "of templates"}"#).await.expect("tokens can be made").json();
    let (accessor, secret) = (token["AccessorID"].as_str().unwrap(), token["SecretID"].as_str().unwrap());
    let place = Templates::of(&agent);
    place.write("in", "{{ key \"a\" }}");
    let program = place.start(&["-consul-token", secret, "-template", "DIR/in:DIR/out"]);
    place.logs("kv.block(a): Unexpected response code: 403").await;
    assert!(!place.path("out").exists());
    let policy = r#"{"Name": "reads-a", "Rules": "key \"a\" { policy = \"read\" }"}"#;
    root("/v1/acl/policy", policy).await.expect("policies can be made");
    let body = format!(r#"{{"AccessorID": "{accessor}", "Policies": [{{"Name": "reads-a"}}]}}"#);
    root(&format!("/v1/acl/token/{accessor}"), &body).await.expect("tokens can be changed");
    place.reads("out", "1").await;
    assert!(!place.log().contains(secret), "the token stays out of the log");
    program.stop().await;
}
