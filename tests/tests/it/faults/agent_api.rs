//! Registrations and files that leave traces.

use std::os::unix::fs::PermissionsExt;

use consul_tests::Setup;
use serde_json::json;

#[tokio::test]
async fn snapshot_files_are_for_their_owner_only() {
    let agent = Setup::dev("n1").start().await;
    agent.cli(&["snapshot", "save", "backup.snap"]).await.ok();
    let mode = std::fs::metadata(agent.dir().join("backup.snap")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn refused_registrations_leave_nothing_behind() {
    let mut agent = Setup::dev("n1").start().await;
    let before = (agent.get("/v1/agent/services").await.json(), agent.get("/v1/agent/checks").await.json());
    let services = [
        json!({"Name": "a", "Port": 1, "Checks": [{"TTL": "10s"}, {"HTTP": "http://localhost/"}]}),
        json!({"Name": "a", "Address": "0.0.0.0"}),
        json!({"Name": ""}),
        json!({"Name": "a", "Check": {"Args": ["true"], "Interval": "1s"}}),
        json!({"Name": "a", "Bogus": 1}),
        json!({"Name": "a", "Port": "many"}),
    ];
    for body in services {
        let reply = agent.put_json("/v1/agent/service/register", &body).await;
        assert!(reply.status >= 400 && !reply.body.is_empty(), "{body}: {} {}", reply.status, reply.text());
    }
    for body in
        [json!({"Name": "c"}), json!({"Name": "c", "TTL": "1s", "ServiceID": "nobody"}), json!({"TTL": "1s"})]
    {
        let reply = agent.put_json("/v1/agent/check/register", &body).await;
        assert!(reply.status >= 400 && !reply.body.is_empty(), "{body}: {} {}", reply.status, reply.text());
    }
    let after = (agent.get("/v1/agent/services").await.json(), agent.get("/v1/agent/checks").await.json());
    assert_eq!(after, before);
    agent.is_alive().await;
}
