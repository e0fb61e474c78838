//! Filters, bodies and streams.

use std::time::Duration;

use consul_tests::raw;
use consul_tests::wait::{check, within};
use consul_tests::{Setup, eventually};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const KV_MAX: usize = 524_288;

/// A PUT in chunks, without a Content-Length.
fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for piece in body.chunks(60_000) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

#[tokio::test]
async fn nested_parentheses_in_a_filter_take_no_time() {
    let mut agent = Setup::dev("n1").start().await;
    for depth in [60, 1_000, 9_000] {
        let filter = format!("{}Node==n1{}", "(".repeat(depth), ")".repeat(depth));
        let request = agent.http().get(agent.url("/v1/catalog/nodes")).query(&[("filter", &filter)]).send();
        let answer = tokio::time::timeout(Duration::from_secs(20), request).await;
        let answer = answer.unwrap_or_else(|_| panic!("{depth} parentheses hang")).unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 200 || (status >= 400 && !text.is_empty()), "{depth}: {status} {text}");
        // What the language's own limit allows is understood.
        assert!(status != 200 || text.contains("\"n1\""), "{depth}: {text}");
    }
    agent.is_alive().await;
}

#[tokio::test]
async fn proxy_filter_on_services_without_a_proxy_selects_none() {
    let mut agent = Setup::dev("n1").start().await;
    agent.put_json("/v1/agent/service/register", &json!({"Name": "web", "Port": 80})).await.ok();
    for filter in
        ["Proxy.DestinationServiceName==web", "Proxy.LocalServicePort==1", "Proxy.MeshGateway.Mode==local"]
    {
        let reply = agent.get(&format!("/v1/agent/services?filter={filter}")).await;
        assert_eq!((reply.status, reply.json()), (200, json!({})), "{filter}");
    }
    let reply = agent.get("/v1/agent/services?filter=Proxy.DestinationServiceName!=web").await.ok();
    assert_eq!(reply.json()["web"]["Port"], 80);
    agent.is_alive().await;
}

#[tokio::test]
async fn chunked_bodies_meet_the_same_limit() {
    let agent = Setup::dev("n1").start().await;
    let port = agent.ports().http;
    let (status, text) = raw::request(port, &chunked("/v1/kv/fits", &vec![b'x'; KV_MAX])).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(agent.get("/v1/kv/fits?raw").await.body.len(), KV_MAX);
    let (status, text) = raw::request(port, &chunked("/v1/kv/too-long", &vec![b'x'; KV_MAX + 1])).await;
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("too large, max size: 524288 bytes"), "{text}");
    assert_eq!(agent.get("/v1/kv/too-long").await.status, 404);
    let by_length = agent.put("/v1/kv/too-long", vec![b'x'; KV_MAX + 1]).await;
    assert_eq!(
        (by_length.status, agent.get("/v1/kv/too-long").await.status),
        (413, 404),
        "{}",
        by_length.text()
    );
}

#[tokio::test]
async fn chunked_session_and_event_bodies_are_read() {
    let agent = Setup::dev("n1").start().await;
    let port = agent.ports().http;
    let (status, text) =
        raw::request(port, &chunked("/v1/session/create", br#"{"Name": "by chunks"}"#)).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(agent.get("/v1/session/list").await.ok().json()[0]["Name"], "by chunks");
    let (status, text) = raw::request(port, &chunked("/v1/event/fire/deploy", b"now")).await;
    assert_eq!(status, 200, "{text}");
    let event = agent.until("/v1/event/list?name=deploy", |reply| reply.json()[0].is_object()).await.json();
    assert_eq!(event[0]["Payload"], "bm93");
}

#[tokio::test]
async fn monitor_flows_though_the_client_takes_gzip() {
    let agent = Setup::dev("n1").start().await;
    let mut stream = raw::connect(agent.ports().http).await;
    let request = "GET /v1/agent/monitor?loglevel=debug HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    within(Duration::from_secs(20), "two lines of log", async || {
        agent.get("/v1/kv/knock").await;
        let mut chunk = vec![0; 16 * 1024];
        if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut chunk)).await
        {
            seen.extend_from_slice(&chunk[..count]);
        }
        let text = String::from_utf8_lossy(&seen).into_owned();
        check(text.matches("/v1/kv/knock").count() >= 2, text)
    })
    .await;
    let head = String::from_utf8_lossy(&seen).to_lowercase();
    let head = head.split("\r\n\r\n").next().unwrap();
    assert!(head.starts_with("http/1.1 200") && !head.contains("content-encoding"), "{head}");
}

#[tokio::test]
async fn monitor_speaks_json_when_asked() {
    let agent = Setup::dev("n1").start().await;
    let monitor = agent.background(&["monitor", "-log-level=debug", "-log-json"]);
    eventually("a logged request", async || {
        agent.get("/v1/kv/knock").await;
        check(monitor.output().contains("/v1/kv/knock"), monitor.output())
    })
    .await;
    let line = monitor.prints("/v1/kv/knock").await;
    let line: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(line["@level"], "debug");
}

#[tokio::test]
async fn coordinate_update_without_a_coordinate_is_refused() {
    let mut agent = Setup::dev("n1").start().await;
    for body in [json!({"Node": "n1"}), json!({"Node": "n1", "Coord": null}), json!({})] {
        let reply = agent.put_json("/v1/coordinate/update", &body).await;
        assert!(reply.status == 400 && !reply.body.is_empty(), "{body}: {} {}", reply.status, reply.text());
    }
    agent.is_alive().await;
}

#[tokio::test]
async fn writes_over_a_unix_socket_pass_the_address_list() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("http.sock");
    let agent = Setup::dev("n1")
        .config(|config| {
            config["addresses"] = json!({"http": format!("127.0.0.1 unix://{}", socket.display())});
            config["http_config"] = json!({"allow_write_http_from": ["10.0.0.0/8"]});
        })
        .start()
        .await;
    let refused = agent.put("/v1/kv/a", "1").await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let address = format!("unix://{}", socket.display());
    let mut command = agent.command(&["kv", "put", "a", "over the socket"]);
    command.env("CONSUL_HTTP_ADDR", address);
    consul_tests::cli::run(command.into(), b"").await.ok();
    assert_eq!(agent.get("/v1/kv/a?raw").await.text(), "over the socket");
}
