//! The CentOS tutorial: one server, remote execution, a web service with a script check.

use consul_tests::stub::Stub;
use consul_tests::wait::check;
use consul_tests::{Agent, Setup, agent, binary, eventually, tools};
use serde_json::{Value, json};

/// s1% consul agent -server -bootstrap-expect 1 -data-dir /tmp/consul -bind 192.168.33.11
fn s1() -> Setup {
    Setup::bare("s1")
        .args("-server -bootstrap-expect 1 -data-dir consul-data -bind 127.0.0.1")
        .config(|config| config["performance"] = json!({"raft_multiplier": 1}))
}

const WITHOUT_COMMA: &str = r#"{
  "service": {
    "name": "web",
    "port": 80
    "check": {
      "script": "curl localhost:80 > /dev/null 2>&1",
      "interval": "15s"
    }
  }
}"#;

/// The tutorial's file, with the comma it lacks, the port that is free here and a shorter wait.
fn web_json(port: u16) -> String {
    WITHOUT_COMMA
        .replace("80\n", "80,\n")
        .replace("localhost:80", &format!("-f localhost:{port}"))
        .replace("15s", "200ms")
}

#[tokio::test]
async fn server_starts_with_the_words_people_look_for() {
    let agent = s1().start().await;
    for words in [
        "==> Consul agent running!",
        "Node name: 's1'",
        "Datacenter: 'dc1'",
        "Client Addr: ",
        "Cluster Addr: ",
    ] {
        agent.logs(words).await;
    }
    agent.logs("Server: true (").await;
    for words in ["cluster leadership acquired", "New leader elected", "member joined, marking health alive"]
    {
        agent.logs(words).await;
    }
    assert!(agent.log().contains("BootstrapExpect is set to 1"), "no warning:\n{}", agent.log());

    let shell = agent.shell();
    let members = shell.run("consul members").await.ok().stdout;
    assert!(
        members.lines().nth(1).is_some_and(|row| row.starts_with("s1 ") && row.contains(" alive ")),
        "{members}"
    );
    if tools::lacks(&["curl", "dig"]) {
        return;
    }
    let nodes = shell.run("curl -s http://127.0.0.1:8500/v1/catalog/nodes").await.ok().stdout;
    let nodes: Value = serde_json::from_str(&nodes).unwrap();
    assert_eq!((&nodes[0]["Node"], &nodes[0]["Address"]), (&json!("s1"), &json!("127.0.0.1")));
    assert_eq!(nodes[0]["TaggedAddresses"]["wan"], "127.0.0.1");
    let dig = shell.dig("dig @127.0.0.1 -p 8600 s1.node.consul").await;
    assert_eq!((dig.status.as_str(), dig.flags.as_str()), ("NOERROR", "qr aa rd"));
    assert_eq!(dig.answer, ["s1.node.consul. 0 IN A 127.0.0.1"], "{}", dig.text);
}

#[tokio::test]
async fn exec_runs_a_command_on_the_node() {
    let agent = s1().config(|config| config["disable_remote_exec"] = json!(false)).start().await;
    let output = agent.shell().run("consul exec -wait=1s echo hello from here").await.ok().stdout;
    assert!(output.contains("    s1: hello from here\n"), "{output}");
    assert!(output.contains("==> s1: finished with exit code 0\n"), "{output}");
    assert!(output.contains("1 / 1 node(s) completed / acknowledged\n"), "{output}");
    let failed = agent.shell().run("consul exec -wait=1s exit 3").await;
    assert_eq!(failed.code, 2, "{}", failed.all());
}

#[tokio::test]
async fn missing_comma_is_pointed_at() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.json");
    std::fs::write(&file, WITHOUT_COMMA).unwrap();
    let args = ["-dev", "-config-file", file.to_str().unwrap()];
    let refused = agent::refused(&args, dir.path()).await;
    assert_eq!(refused.code, 1);
    let text = refused.all();
    assert!(text.contains("web.json"), "{text}");
    if !binary::is_reference() {
        assert!(text.contains("line 5"), "{text}");
    }
}

#[tokio::test]
async fn service_with_a_script_check_is_found_by_name() {
    if tools::lacks(&["curl", "dig"]) {
        return;
    }
    if binary::is_reference() {
        return tools::skip("releases after 1.0 know no script strings");
    }
    let apache = Stub::start();
    let agent = s1().args("-enable-script-checks").file("web.json", web_json(apache.port())).start().await;
    agent.logs("Synced service").await;
    agent.logs("Synced check").await;
    in_dns(&agent, &["127.0.0.1"]).await;
    let srv = agent.dig("web.service.consul SRV").await;
    assert_eq!(srv.answer, ["web.service.consul. 0 IN SRV 1 1 80 s1.node.dc1.consul."], "{}", srv.text);
    assert!(srv.additional.contains(&"s1.node.dc1.consul. 0 IN A 127.0.0.1".to_owned()), "{}", srv.text);
    apache.answer(500);
    in_dns(&agent, &[]).await;
    apache.answer(200);
    in_dns(&agent, &["127.0.0.1"]).await;
}

async fn in_dns(agent: &Agent, addresses: &[&str]) {
    eventually(&format!("web resolves to {addresses:?}"), async || {
        let dig = agent.dig("web.service.consul").await;
        check(dig.data() == addresses, dig.text)
    })
    .await;
}
