//! The container handbook: what its commands do inside one container.

use consul_tests::wait::check;
use consul_tests::{Background, Setup, agent, binary, eventually, tools};
use serde_json::{Value, json};

#[tokio::test]
async fn agent_answers_the_first_questions() {
    if tools::lacks(&["curl", "dig"]) {
        return;
    }
    let agent = Setup::dev("linode").start().await;
    agent.until("/v1/health/service/consul", |reply| reply.json()[0].is_object()).await;
    let shell = agent.shell();
    let health = shell.run("curl -s http://127.0.0.1:8500/v1/health/service/consul?pretty").await.ok().stdout;
    assert!(health.starts_with("[\n    {\n        \"Node\": {\n            \"ID\": "), "{health}");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!(health[0]["Node"]["Node"], "linode");
    let dig = shell.dig("dig @127.0.0.1 -p 8600 consul.service.consul").await;
    assert_eq!((dig.flags.as_str(), dig.data()), ("qr aa rd", vec!["127.0.0.1".to_owned()]), "{}", dig.text);
    let leader = shell.run("curl -s http://127.0.0.1:8500/v1/status/leader").await.ok().stdout;
    assert_eq!(leader.trim(), format!("\"127.0.0.1:{}\"", agent.ports().server));
    shell.run("consul kv put user/config/connections 5").await.ok();
    let shown = shell.run("consul kv get -detailed user/config/connections").await.ok().stdout;
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["Value", "5"])), "{shown}");
}

#[tokio::test]
async fn service_is_registered_and_discovered_over_http() {
    if tools::lacks(&["curl"]) {
        return;
    }
    let agent = Setup::dev("consul3").start().await;
    let shell = agent.shell();
    let printed = r#"curl -s http://127.0.0.1:8500/v1/agent/service/register -X PUT -i -H "Content-Type:application/json" -d '{
"ID": "userServiceId",
"Name": "userService",
"Tags": [
"primary",
"v1"
],
"Address": "127.0.0.1",
"Port": 8000,
"EnableTagOverride": false,
"Check": {
"DeregisterCriticalServiceAfter": "90m",
"HTTP": "http://127.0.0.1:1/",
"Interval": "10s"
}
}'"#;
    let answer = shell.run(printed).await.ok().stdout;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let path = "/v1/catalog/service/userService";
    let found = agent.until(path, |reply| reply.json()[0].is_object()).await.json();
    let found = &found[0];
    assert_eq!((&found["Node"], &found["ServiceID"]), (&json!("consul3"), &json!("userServiceId")));
    assert_eq!((&found["ServiceAddress"], &found["ServicePort"]), (&json!("127.0.0.1"), &json!(8000)));
    assert_eq!(found["ServiceTags"], json!(["primary", "v1"]));
    // Nothing listens there: the service must not be handed out.
    eventually("the service is critical", async || {
        let dig = agent.dig("userService.service.consul").await;
        check(dig.status == "NXDOMAIN", dig.text)
    })
    .await;
    shell.run("curl -s -X PUT http://127.0.0.1:8500/v1/agent/service/deregister/userServiceId").await.ok();
    agent.until(path, |reply| reply.json() == json!([])).await;
}

#[tokio::test]
async fn flags_alone_make_an_agent() {
    // docker run … consul agent -dns-port=53 -recursor=8.8.8.8 -bind=<bridge ip>, and -server -bootstrap
    let setup = Setup::dev("node1");
    let ports = setup.ports();
    let mut command = std::process::Command::new(binary::consul());
    let dir = tempfile::tempdir().unwrap();
    let numbers = [
        format!("-http-port={}", ports.http),
        format!("-dns-port={}", ports.dns),
        format!("-server-port={}", ports.server),
        format!("-serf-lan-port={}", ports.serf_lan),
        format!("-serf-wan-port={}", ports.serf_wan),
    ];
    command
        .args(["agent", "-server", "-bootstrap", "-bind=127.0.0.1", "-data-dir=data", "-recursor=127.0.0.1"])
        .args(&numbers);
    command.current_dir(dir.path());
    let started = Background::spawn(command);
    started.prints("==> Consul agent running!").await;
}

#[tokio::test]
async fn forgotten_dash_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let printed = "-server -bind=127.0.0.1 -bootstrap-expect=3 -node=consul-server1 advertise 192.168.56.76 -data-dir=data-dir";
    let args: Vec<&str> = printed.split(' ').collect();
    let refused = agent::refused(&args, dir.path()).await;
    assert_eq!(refused.code, 1);
    let text = refused.all();
    assert!(text.contains("Unexpected extra arguments: [advertise 192.168.56.76"), "{text}");
}

#[tokio::test]
async fn node_id_may_be_given() {
    let id = "40e4a748-2192-161a-0510-9bf59fe950b5";
    let agent =
        Setup::dev("consul-server3").args(&format!("-node-id={id} -client 127.0.0.1 -ui")).start().await;
    assert_eq!(agent.get("/v1/agent/self").await.ok().json()["Config"]["NodeID"], id);
    assert_eq!(agent.get("/v1/catalog/nodes").await.ok().json()[0]["ID"], id);
}
