//! A reload is all or nothing, and takes away only what it gave.

use consul_tests::Setup;
use nix::sys::signal::Signal;
use serde_json::json;

const WEB: &str = r#"{"services": [{"name": "web", "port": 80}, {"name": "db", "port": 5432}]}"#;

#[tokio::test]
async fn bad_service_in_a_file_leaves_the_services_as_they_were() {
    let mut agent = Setup::dev("n1").file("web.json", WEB).start().await;
    let before = agent.get("/v1/agent/services").await.ok().json();
    assert_eq!(before.as_object().unwrap().len(), 2);
    let bad = [
        r#"{"services": [{"name": "web", "port": 81}, {"name": "bad", "check": {"http": "http://localhost/"}}]}"#,
        r#"{"services": [{"name": "web", "port": 81}, {"port": 1}]}"#,
        r#"{"service": {"name": "web", "port": 81}, "check": {"name": "c", "ttl": "1s", "service_id": "nobody"}}"#,
        r#"{"service": {"name": "web", "port": 81}, "watches": [{"type": "bogus", "args": ["true"]}]}"#,
        r#"{"service": {"name": "web", "port": 81}, "no_such_key": 1}"#,
        "{broken",
    ];
    for text in bad {
        agent.write_conf("web.json", text);
        let reloaded = agent.cli(&["reload"]).await;
        assert_eq!(reloaded.code, 1, "{text} was taken: {}", reloaded.all());
        assert!(reloaded.stderr.contains("Error reloading"), "{text}: {}", reloaded.all());
        assert_eq!(agent.get("/v1/agent/services").await.ok().json(), before, "{text} changed the services");
    }
    // By signal there is nobody to tell but the log.
    agent.signal(Signal::SIGHUP);
    agent.logs("Reload config failed").await;
    assert_eq!(agent.get("/v1/agent/services").await.ok().json(), before);
    agent.write_conf("web.json", r#"{"service": {"name": "web", "port": 81}}"#);
    agent.cli(&["reload"]).await.ok();
    let after = agent.get("/v1/agent/services").await.ok().json();
    assert_eq!((after["web"]["Port"].as_u64(), after.as_object().unwrap().len()), (Some(81), 1));
    agent.is_alive().await;
}

#[tokio::test]
async fn dev_agent_keeps_what_was_registered_over_the_api() {
    let agent = Setup::dev("n1").file("web.json", WEB).start().await;
    let service = json!({"Name": "by-api", "Port": 1, "Check": {"TTL": "600s", "Status": "passing"}});
    agent.put_json("/v1/agent/service/register", &service).await.ok();
    agent
        .put_json("/v1/agent/check/register", &json!({"Name": "own", "TTL": "600s", "Status": "passing"}))
        .await
        .ok();
    agent.cli(&["reload"]).await.ok();
    let services = agent.get("/v1/agent/services").await.ok().json();
    let names: Vec<&str> = services.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["by-api", "db", "web"]);
    let checks = agent.get("/v1/agent/checks").await.ok().json();
    assert_eq!(checks["own"]["Status"], "passing", "{checks}");
    assert_eq!(checks["service:by-api"]["Status"], "passing", "{checks}");
    agent.until("/v1/catalog/service/by-api", |reply| reply.json()[0].is_object()).await;
}

#[tokio::test]
async fn validate_looks_at_services_and_checks() {
    let agent = Setup::dev("n1").start().await;
    let file = agent.dir().join("bad.json");
    std::fs::write(
        &file,
        r#"{"data_dir": "d", "bind_addr": "127.0.0.1", "service": {"name": "a", "check": {"tcp": "x:1"}}}"#,
    )
    .unwrap();
    let validated = agent.cli(&["validate", "bad.json"]).await;
    assert_eq!(validated.code, 1, "{}", validated.all());
    assert!(validated.all().contains("\"a\""), "{}", validated.all());
}
