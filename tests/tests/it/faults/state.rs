//! Sessions, restores and waiting readers.

use consul_tests::{Setup, raw, sockets};
use futures::future::join_all;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_releases_waiting_readers_and_they_see_the_new_state() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "saved").await.ok();
    let archive = agent.get("/v1/snapshot").await.ok().body;
    agent.put("/v1/kv/a", "later").await.ok();
    let index = agent.get("/v1/kv/a").await.index();
    let port = agent.ports().http;
    let mut readers = Vec::new();
    for path in ["/v1/kv/a?raw&", "/v1/kv/?recurse&", "/v1/kv/never-there?"] {
        readers.push(raw::get(port, &format!("{path}index={index}&wait=5m")).await);
    }
    sockets::all_are_read(&readers).await;
    agent.put("/v1/snapshot", archive).await.ok();
    let bodies = join_all(readers.into_iter().map(raw::answer)).await;
    assert_eq!(bodies[0], (200, "saved".to_owned()), "the state before the restore was shown");
    assert_eq!(bodies[2].0, 404);
    let after = agent.get("/v1/kv/a").await;
    assert!(after.index() > 0 && after.json()[0]["Value"] == "c2F2ZWQ=", "{}", after.text());
}

#[tokio::test]
async fn negative_lock_delay_is_refused() {
    let agent = Setup::dev("n1").start().await;
    for delay in [json!("-5s"), json!(-3)] {
        let reply = agent.put_json("/v1/session/create", &json!({"LockDelay": delay})).await;
        assert!(reply.status == 400 && !reply.body.is_empty(), "{delay}: {} {}", reply.status, reply.text());
    }
    assert_eq!(agent.get("/v1/session/list").await.ok().json(), json!([]));
}

#[tokio::test]
async fn value_that_is_no_base64_writes_nothing() {
    let agent = Setup::dev("n1").start().await;
    let put = agent.cli(&["kv", "put", "-base64", "key", "aGVsbG8=not*base64"]).await;
    assert_eq!(put.code, 1, "{}", put.all());
    assert_eq!(agent.get("/v1/kv/key").await.status, 404);
}
