//! The command line beside a real agent, where neither alone shows a fault.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use consul_tests::cli::{self, Output};
use consul_tests::wait::check;
use consul_tests::{Agent, Setup, eventually};
use serde_json::json;

/// Runs words that need not be text.
async fn bytes(agent: &Agent, words: &[&[u8]]) -> Output {
    let mut command: Command = agent.command(&[]);
    command.args(words.iter().map(|word| OsStr::from_bytes(word)));
    cli::run(command.into(), b"").await
}

#[tokio::test]
async fn keys_and_values_may_be_any_bytes() {
    let agent = Setup::dev("n1").start().await;
    let (key, value): (&[u8], &[u8]) = (b"bin/\xff\xfe", b"\x80value");
    bytes(&agent, &[b"kv", b"put", key, value]).await.ok();
    assert_eq!(agent.get("/v1/kv/bin/%FF%FE?raw").await.ok().body, value);
    // The other spelling of the key, with replacement characters, is another key.
    assert_eq!(agent.get("/v1/kv/bin/%EF%BF%BD%EF%BF%BD").await.status, 404);
    bytes(&agent, &[b"kv", b"get", key]).await.ok();
    bytes(&agent, &[b"kv", b"get", b"-recurse", b"/bin/\xff"]).await.ok();
    assert!(bytes(&agent, &[b"kv", b"export", b"bin/\xff"]).await.ok().stdout.contains("gHZhbHVl"));
    assert_eq!(bytes(&agent, &[b"kv", b"export", b"bin/\xfe"]).await.ok().stdout, "[]\n");
    bytes(&agent, &[b"kv", b"delete", key]).await.ok();
    let left = agent.get("/v1/kv/?keys").await;
    assert_eq!(left.ok().json(), json!([]));
}

#[tokio::test]
async fn watch_tells_every_change_and_survives_a_restart() {
    let mut agent = Setup::server("n1").start().await;
    let watch = agent.background(&["watch", "-type=key", "-key=colour", "cat"]);
    watch.prints("null").await;
    for colour in ["red", "blue"] {
        agent.put("/v1/kv/colour", colour).await.ok();
        let encoded = if colour == "red" { "cmVk" } else { "Ymx1ZQ==" };
        watch.prints(&format!("\"Value\":\"{encoded}\"")).await;
    }
    agent.put("/v1/kv/other", "unrelated").await.ok();
    agent.kill();
    watch.prints("Watch errored: type=key").await;
    agent.restart().await;
    agent.put("/v1/kv/colour", "green").await.ok();
    watch.prints("\"Value\":\"Z3JlZW4=\"").await;
    // Nothing is told twice, not even after the restart.
    assert_eq!(watch.output().matches("\"Value\":\"Ymx1ZQ==\"").count(), 1, "{}", watch.output());
}

#[tokio::test]
async fn event_watch_tells_each_event_once() {
    let agent = Setup::dev("n1").start().await;
    let watch = agent.background(&["watch", "-type=event", "-name=deploy", "cat"]);
    watch.prints("[]").await;
    for payload in ["one", "two", "three"] {
        agent.cli(&["event", "-name=deploy", payload]).await.ok();
        let encoded = match payload {
            "one" => "b25l",
            "two" => "dHdv",
            _ => "dGhyZWU=",
        };
        watch.prints(encoded).await;
    }
    eventually("each payload stands there once", async || {
        let output = watch.output();
        check(["b25l", "dHdv", "dGhyZWU="].iter().all(|text| output.matches(text).count() == 1), output)
    })
    .await;
}

#[tokio::test]
async fn what_the_agent_cannot_do_is_said_in_words() {
    let agent = Setup::dev("n1").start().await;
    agent.put_json("/v1/agent/service/register", &json!({"Name": "web"})).await.ok();
    let cases: [(&[&str], &str); 7] = [
        (&["services", "export", "-name=web", "-consumer-peers=east"], "exported-services"),
        (&["services", "export", "-name=web"], "Missing the required -consumer-peers"),
        (&["acl", "templated-policy", "list"], "Failed to list the templated policies: "),
        (&["connect", "envoy"], "No proxy ID specified"),
        (&["connect", "envoy", "-sidecar-for=web"], "No sidecar proxy registered for web"),
        (&["connect", "proxy", "-service=web"], "no proxy of its own"),
        (&["connect", "proxy", "-upstream=bad"], "Upstream value should be name:addr"),
    ];
    for (words, told) in cases {
        let output = agent.cli(words).await;
        assert_eq!(output.code, 1, "{words:?}: {}", output.all());
        assert!(output.stderr.contains(told), "{words:?}: {}", output.all());
    }
}

#[tokio::test]
async fn lone_server_leaves_without_waiting_for_others() {
    let mut agent = Setup::server("n1")
        .config(|config| config["performance"] = json!({"raft_multiplier": 1, "leave_drain_time": "10m"}))
        .start()
        .await;
    assert_eq!(agent.cli(&["leave"]).await.ok().stdout, "Graceful leave complete\n");
    assert_eq!(agent.ends().await.code(), Some(0));
}
