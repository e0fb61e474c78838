//! More clients than there is room for, and clients that go away.

use std::time::Duration;

use consul_tests::wait::{check, within};
use consul_tests::{Agent, SOON, Setup, process, raw, sockets};
use futures::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEPT: &[u8] = b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n\r\n";

/// A connection that was answered and stays open.
async fn idle_connection(port: u16) -> TcpStream {
    let mut stream = raw::connect(port).await;
    stream.write_all(KEPT).await.unwrap();
    let mut answer = [0; 64];
    let count = stream.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_too_many_is_told_to_come_back() {
    const LIMIT: usize = 20;
    let mut agent = Setup::dev("n1")
        .config(|config| config["limits"] = json!({"http_max_conns_per_client": LIMIT}))
        .start()
        .await;
    agent.hang_up().await;
    let port = agent.ports().http;
    let mut idle = Vec::new();
    for _ in 0..LIMIT {
        idle.push(idle_connection(port).await);
    }
    let (refusal, _) = raw::read_to_end(&mut raw::connect(port).await, SOON).await;
    let refusal = String::from_utf8_lossy(&refusal);
    assert!(refusal.starts_with("HTTP/1.1 429 "), "the connection past the limit got {refusal:?}");
    assert!(refusal.to_lowercase().contains("\r\nretry-after: "), "{refusal}");
    assert!(refusal.contains("too many concurrent connections"), "{refusal}");
    drop(idle);
    within(Duration::from_secs(20), "room again", async || {
        let (status, text) =
            raw::request(port, b"GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .await;
        check(status == 200, (status, text))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_waits_free_everything() {
    const READERS: usize = 400;
    let agent = Setup::dev("n1")
        .config(|config| {
            config["limits"] = json!({"http_max_conns_per_client": 2_000});
            config["log_level"] = json!("WARN");
        })
        .start()
        .await;
    agent.put("/v1/kv/wait/0", "x").await.ok();
    let mut sizes = Vec::new();
    for _ in 0..5 {
        let readers = join_all((0..READERS).map(|number| waiting_reader(&agent, number))).await;
        sockets::all_are_read(&readers).await;
        // Some of them are woken first, so that both ends of a wait are cut.
        for number in 0..20 {
            agent.put(&format!("/v1/kv/wait/{number}"), "x").await.ok();
        }
        sockets::hang_up(readers).await;
        sizes.push(process::memory_kib(agent.pid()));
    }
    // The first round fills the allocator's pools; later ones may not need more.
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    assert!(last < first + 30 * 1024, "memory grows with every round: {sizes:?} KiB");
    assert!(process::threads(agent.pid()) < 64);
}

/// A blocking query under way: for a key, a prefix or a table.
async fn waiting_reader(agent: &Agent, number: usize) -> TcpStream {
    let path = match number % 4 {
        0 => format!("/v1/kv/wait/{number}"),
        1 => format!("/v1/kv/wait/{number}/?recurse"),
        2 => "/v1/catalog/nodes?".to_owned(),
        _ => "/v1/health/service/consul?passing".to_owned(),
    };
    let glue = if path.contains('?') { '&' } else { '?' };
    raw::get(agent.ports().http, &format!("{path}{glue}index=1000000&wait=10m")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_waiting_reader_is_woken() {
    const READERS: usize = 200;
    let agent = Setup::dev("n1")
        .config(|config| config["limits"] = json!({"http_max_conns_per_client": 1_000}))
        .start()
        .await;
    agent.put("/v1/kv/shared", "old").await.ok();
    let index = agent.get("/v1/kv/shared").await.index();
    let path = format!("/v1/kv/shared?raw&index={index}&wait=5m");
    let readers = join_all((0..READERS).map(|_| raw::get(agent.ports().http, &path))).await;
    sockets::all_are_read(&readers).await;
    agent.put("/v1/kv/shared", "new").await.ok();
    for answer in join_all(readers.into_iter().map(raw::answer)).await {
        assert_eq!(answer, (200, "new".to_owned()), "a reader was not woken");
    }
}
