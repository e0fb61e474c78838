//! Alias checks, check states and restored checks.

use consul_tests::Setup;
use consul_tests::agent;
use serde_json::json;

#[tokio::test]
async fn alias_of_an_unknown_node_is_critical() {
    let mut agent = Setup::dev("n1").start().await;
    let check = json!({"Name": "al", "AliasNode": "nowhere", "AliasService": "web"});
    agent.put_json("/v1/agent/check/register", &check).await.ok();
    agent
        .until("/v1/agent/checks", |reply| {
            !reply.json()["al"]["Output"].as_str().unwrap_or_default().is_empty()
        })
        .await;
    assert_eq!(agent.get("/v1/agent/checks").await.json()["al"]["Status"], "critical");
    agent.is_alive().await;
}

#[tokio::test]
async fn alias_on_the_node_does_not_count_itself() {
    let agent = Setup::dev("n1").start().await;
    agent
        .put_json("/v1/agent/service/register", &json!({"Name": "web", "Check": {"TTL": "600s"}}))
        .await
        .ok();
    agent.put_json("/v1/agent/check/register", &json!({"Name": "al", "AliasService": "web"})).await.ok();
    let status_is =
        |wanted: &'static str| move |reply: &consul_tests::Reply| reply.json()["al"]["Status"] == wanted;
    agent.until("/v1/agent/checks", status_is("critical")).await;
    agent.put("/v1/agent/check/pass/service:web", "").await.ok();
    agent.until("/v1/agent/checks", status_is("passing")).await;
    agent.put("/v1/agent/check/fail/service:web", "").await.ok();
    let checks = agent.until("/v1/agent/checks", status_is("critical")).await.json();
    assert_eq!(
        checks["al"]["Output"].as_str().unwrap().matches("Aliased check").count(),
        1,
        "{}",
        checks["al"]
    );
}

#[tokio::test]
async fn unknown_status_in_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("check.json");
    std::fs::write(&file, r#"{"check": {"name": "c", "ttl": "10s", "status": "bogus"}}"#).unwrap();
    let ports = consul_tests::ports::Ports::free();
    let numbers = [
        format!("-http-port={}", ports.http),
        format!("-dns-port={}", ports.dns),
        format!("-server-port={}", ports.server),
        format!("-serf-lan-port={}", ports.serf_lan),
        format!("-serf-wan-port={}", ports.serf_wan),
        "-grpc-port=-1".to_owned(),
    ];
    let mut args = vec!["-dev", "-config-file", file.to_str().unwrap()];
    args.extend(numbers.iter().map(String::as_str));
    let refused = agent::refused(&args, dir.path()).await;
    assert_eq!(refused.code, 1, "{}", refused.all());
    assert!(refused.all().contains("bogus") || refused.all().contains("status"), "{}", refused.all());
}

#[tokio::test]
async fn check_of_a_service_from_a_file_keeps_its_state_over_a_restart() {
    let service = r#"{"service": {"name": "web", "port": 80, "check": {"ttl": "600s"}}}"#;
    let mut agent = Setup::server("n1").file("web.json", service).start().await;
    agent.put("/v1/agent/check/pass/service:web?note=fine", "").await.ok();
    agent.terminate().await;
    agent.restart().await;
    let check = agent.get("/v1/agent/checks").await.ok().json()["service:web"].clone();
    assert_eq!((&check["Status"], &check["Output"]), (&json!("passing"), &json!("fine")), "{check}");
}
