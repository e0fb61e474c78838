//! Bytes that no honest client sends. The agent must stay alive and small, and say what is wrong.

use std::net::UdpSocket;
use std::time::Duration;

use consul_tests::noise::{noise, rng};
use consul_tests::{Agent, SOON, Setup, process, raw, sockets};
use futures::future::join_all;
use rand::Rng;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// How much larger an idle agent may be after an attack. Allocators keep some; leaks grow past any such number.
const GROWTH_KIB_MAX: u64 = 120 * 1024;

/// A copy with some bytes changed, doubled or cut off.
fn mutated(rng: &mut StdRng, honest: &[u8]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for _ in 0..rng.random_range(1..6) {
        let place = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..4) {
            0 => bytes.truncate(place),
            1 => bytes.extend_from_within(place.min(bytes.len())..),
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = rng.random();
                }
            }
        }
    }
    bytes
}

/// Still alive, and not grown out of proportion.
async fn survives(agent: &mut Agent, before_kib: u64) {
    agent.is_alive().await;
    let now = process::memory_kib(agent.pid());
    assert!(now < before_kib + GROWTH_KIB_MAX, "grew from {before_kib} to {now} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_on_the_http_port() {
    let mut rng = rng();
    let mut agent = Setup::dev("n1").start().await;
    let (port, before) = (agent.ports().http, process::memory_kib(agent.pid()));
    let honest =
        b"PUT /v1/kv/a?cas=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n12";
    for _ in 0..15 {
        let attacks = (0..10).map(|number| {
            let bytes = if number % 2 == 0 { noise(&mut rng, 0..4096) } else { mutated(&mut rng, honest) };
            async move { raw::exchange(port, &bytes).await }
        });
        for (answer, end) in join_all(attacks.collect::<Vec<_>>()).await {
            assert_ne!(end, raw::End::Open, "a connection was kept after its end");
            assert!(
                answer.is_empty() || answer.starts_with(b"HTTP/1."),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    survives(&mut agent, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_told_so() {
    let agent = Setup::dev("n1").start().await;
    let port = agent.ports().http;
    let head = "Host: x\r\nConnection: close\r\n\r\n";
    let bad = "400 Bad Request";
    let malformed = [
        ("GET /v1/kv/a HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request: missing required Host header"),
        (format!("GET /v1/kv/a HTTP/1.1\r\nHost: y\r\n{head}"), "400 Bad Request: too many Host headers"),
        ("GET /v1/kv/a HTTP/1.1\r\nHost: x/y\r\n\r\n".to_owned(), "400 Bad Request: malformed Host header"),
        (format!("GET /v1/kv/%zz HTTP/1.1\r\n{head}"), bad),
        (format!("GET  HTTP/1.1\r\n{head}"), bad),
        (format!("PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n{head}xx"), bad),
        (format!("PUT /v1/kv/a HTTP/1.1\r\nContent-Length: many\r\n{head}xx"), bad),
        (format!("GET /v1/kv/a HTTP/1.1\r\nA B: c\r\n{head}"), bad),
        ("NONSENSE\r\n\r\n".to_owned(), bad),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned(), bad),
        // Behind a request that is answered.
        (format!("GET /v1/kv/b HTTP/1.1\r\nHost: x\r\n\r\nNONSENSE\r\n{head}"), bad),
    ];
    for (request, told) in malformed {
        let mut stream = raw::connect(port).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let (answer, end) = raw::read_to_end(&mut stream, SOON).await;
        let answer = String::from_utf8_lossy(&answer);
        assert_ne!(end, raw::End::Open, "{request:?}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{told}")), "{request:?}: {answer}");
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (status, text) = raw::request(port, preface.as_bytes()).await;
    assert_eq!((status, text.as_str()), (400, "400 Bad Request: unsupported protocol version"));
    let chunk = format!("PUT /v1/kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{head}zz\r\n");
    let (status, text) = raw::request(port, chunk.as_bytes()).await;
    assert!(status >= 400 && !text.is_empty(), "{status} {text}");
    assert_eq!(agent.get("/v1/kv/a").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oversized_headers_are_refused() {
    let mut agent = Setup::dev("n1").start().await;
    let (port, before) = (agent.ports().http, process::memory_kib(agent.pid()));
    let one = format!("GET /v1/status/leader HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(3 << 20));
    let many: String = (0..200_000).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many = format!("GET /v1/status/leader HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    let line = format!("GET /v1/kv/{} HTTP/1.1\r\nHost: x\r\n\r\n", "k".repeat(3 << 20));
    for request in [one, many, line] {
        for _ in 0..5 {
            let (status, text) = raw::request(port, request.as_bytes()).await;
            // A connection that is reset while we still send has lost its answer on the way.
            let told = (431, "431 Request Header Fields Too Large");
            assert!(status == 0 || (status, text.as_str()) == told, "{status} {text}");
        }
    }
    survives(&mut agent, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_senders_hold_up_nobody_else() {
    let mut agent = Setup::dev("n1").start().await;
    let (port, before) = (agent.ports().http, process::memory_kib(agent.pid()));
    let mut slow = Vec::new();
    for number in 0..150 {
        let mut stream = raw::connect(port).await;
        let part = if number % 2 == 0 {
            "GET /v1/status/leader HTTP/1.1\r\nX-Slow: "
        } else {
            "PUT /v1/kv/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nbeginning"
        };
        stream.write_all(part.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..3 {
        for stream in &mut slow {
            // The agent may well have hung up on it.
            let _ = stream.write_all(b"y").await;
        }
        agent.is_alive().await;
        assert_eq!(agent.cli(&["kv", "get", "alive"]).await.ok().stdout, "yes\n");
    }
    sockets::hang_up(slow).await;
    assert_eq!(agent.get("/v1/kv/slow").await.status, 404, "half a body was written");
    survives(&mut agent, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_cut_short_are_not_applied() {
    let mut agent = Setup::dev("n1").start().await;
    let port = agent.ports().http;
    let cut = [
        "PUT /v1/kv/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this",
        "PUT /v1/kv/cut HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
        "PUT /v1/kv/cut HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
        "PUT /v1/catalog/register HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{\"Node\":\"cut\",\"Address\":\"1.2.3.4\"}",
        "PUT /v1/session/create HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{}",
        "PUT /v1/txn HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n[{\"KV\":{\"Verb\":\"set\",\"Key\":\"cut\",\"Value\":\"\"}}]",
    ];
    for request in cut {
        let (answer, _) = raw::exchange(port, request.as_bytes()).await;
        let (status, _) = raw::split(&answer);
        assert!(status == 0 || status >= 400, "{request:?} was answered with {status}");
    }
    assert_eq!(agent.get("/v1/kv/cut").await.status, 404);
    assert_eq!(agent.get("/v1/catalog/node/cut").await.json(), Value::Null);
    assert_eq!(agent.get("/v1/session/list").await.json(), json!([]));
    agent.is_alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_on_the_dns_ports() {
    let mut rng = rng();
    let mut agent = Setup::dev("n1").start().await;
    let (port, before) = (agent.ports().dns, process::memory_kib(agent.pid()));
    // A question for n1.node.consul, type ANY.
    let mut honest = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    honest.extend(b"\x02n1\x04node\x06consul\x00\x00\xff\x00\x01");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.connect(raw::loopback(port)).unwrap();
    for number in 0..2_000 {
        let bytes = if number % 2 == 0 { noise(&mut rng, 0..1500) } else { mutated(&mut rng, &honest) };
        // Loopback reports ports that nobody listens on; the check below finds a dead agent.
        let _ = socket.send(&bytes);
    }
    for number in 0..60 {
        let bytes = if number % 2 == 0 { noise(&mut rng, 0..3000) } else { mutated(&mut rng, &honest) };
        let mut framed = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        framed.extend(if number % 3 == 0 { &bytes[..bytes.len() / 2] } else { &bytes[..] });
        let (_, end) = raw::exchange(port, &framed).await;
        assert_ne!(end, raw::End::Open, "a connection was kept after its end");
    }
    // An honest question is still answered.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.send_to(&honest, raw::loopback(port)).unwrap();
    let mut answer = [0; 1500];
    let count = socket.recv(&mut answer).expect("the DNS door is dead");
    assert!(
        count > honest.len() && answer[..2] == [0x12, 0x34] && answer[3] & 0x0f == 0,
        "{:?}",
        &answer[..count]
    );
    survives(&mut agent, before).await;
}

/// Every path that takes a body, with names where the path needs one.
const ENDPOINTS: &[&str] = &[
    "/v1/acl/auth-method",
    "/v1/acl/binding-rule",
    "/v1/acl/bootstrap",
    "/v1/acl/login",
    "/v1/acl/logout",
    "/v1/acl/policy",
    "/v1/acl/role",
    "/v1/acl/rules/translate",
    "/v1/acl/token",
    "/v1/agent/check/deregister/x",
    "/v1/agent/check/fail/x",
    "/v1/agent/check/pass/x",
    "/v1/agent/check/register",
    "/v1/agent/check/update/x",
    "/v1/agent/check/warn/x",
    "/v1/agent/connect/authorize",
    "/v1/agent/force-leave/x",
    "/v1/agent/maintenance",
    "/v1/agent/service/deregister/x",
    "/v1/agent/service/maintenance/x",
    "/v1/agent/service/register",
    "/v1/agent/token/default",
    "/v1/catalog/deregister",
    "/v1/catalog/register",
    "/v1/config",
    "/v1/config/service-defaults/x",
    "/v1/connect/ca/configuration",
    "/v1/connect/intentions",
    "/v1/connect/intentions/x",
    "/v1/coordinate/update",
    "/v1/event/fire/x",
    "/v1/internal/acl/authorize",
    "/v1/operator/autopilot/configuration",
    "/v1/operator/keyring",
    "/v1/operator/raft/peer",
    "/v1/query",
    "/v1/query/x",
    "/v1/session/create",
    "/v1/session/destroy/x",
    "/v1/session/renew/x",
    "/v1/snapshot",
    "/v1/txn",
];

/// Field names that mean something somewhere, so that some of the junk gets past the first look.
const NAMES: &[&str] = &[
    "ID",
    "Name",
    "Node",
    "Address",
    "Service",
    "Services",
    "Check",
    "Checks",
    "Tags",
    "Port",
    "Meta",
    "TTL",
    "KV",
    "Verb",
    "Key",
    "Value",
    "Session",
    "LockDelay",
    "Behavior",
    "Kind",
    "Coord",
    "Vec",
    "Proxy",
    "Connect",
    "Weights",
    "Interval",
    "HTTP",
    "TaggedAddresses",
    "Template",
    "Regexp",
    "Near",
    "Failover",
    "Rules",
    "Policies",
    "Status",
    "Definition",
];

fn junk(rng: &mut StdRng, depth: u32) -> Value {
    match rng.random_range(0..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.random::<bool>()),
        2 => json!(rng.random::<i64>()),
        3 => json!(rng.random::<f64>() * 1e300),
        4 => json!(
            ["set", "10s", "-1s", "passing", "", "%", "\u{0}", "x".repeat(5000).as_str()]
                [rng.random_range(0..8)]
        ),
        5 => json!(String::from_utf8_lossy(&noise(rng, 0..40))),
        6 => (0..rng.random_range(0..4)).map(|_| junk(rng, depth - 1)).collect(),
        _ => {
            let fields = rng.random_range(0..5);
            let fields = (0..fields)
                .map(|_| (NAMES[rng.random_range(0..NAMES.len())].to_owned(), junk(rng, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

fn junk_body(rng: &mut StdRng) -> Vec<u8> {
    match rng.random_range(0..8) {
        0 => noise(rng, 0..300),
        1 => "[".repeat(100_000).into_bytes(),
        2 => {
            let text = junk(rng, 4).to_string();
            text.as_bytes()[..rng.random_range(0..=text.len())].to_vec()
        }
        3 => format!("[{}]", junk(rng, 4)).into_bytes(),
        _ => junk(rng, 4).to_string().into_bytes(),
    }
}

/// The methods with a body that an endpoint lists for itself.
async fn writing_methods(agent: &Agent, path: &str) -> Vec<Method> {
    let allowed = agent.request(Method::OPTIONS, path, "").await;
    let allowed = allowed.header("allow").to_owned();
    [Method::PUT, Method::POST, Method::DELETE]
        .into_iter()
        .filter(|method| allowed.contains(method.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_in_every_body() {
    let mut rng = rng();
    let mut agent = Setup::dev("n1").config(|config| config["log_level"] = json!("WARN")).start().await;
    agent.put("/v1/kv/untouched", "value").await.ok();
    let before = process::memory_kib(agent.pid());
    let mut served = 0;
    for path in ENDPOINTS {
        for method in writing_methods(&agent, path).await {
            served += 1;
            for _ in 0..12 {
                let body = junk_body(&mut rng);
                let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
                let reply = agent.try_request(method.clone(), path, body).await;
                let reply = reply.unwrap_or_else(|error| panic!("{method} {path} with {shown}: {error:?}"));
                let is_told = reply.status < 400 || reply.status == 404 || !reply.body.is_empty();
                assert!(is_told, "{method} {path} with {shown}: {} without a word", reply.status);
            }
        }
    }
    assert!(served >= 30, "only {served} endpoints take a body");
    assert_eq!(agent.get("/v1/kv/untouched?raw").await.text(), "value");
    survives(&mut agent, before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junk_in_every_query_string() {
    let mut rng = rng();
    let mut agent = Setup::dev("n1").start().await;
    let paths = [
        "/v1/kv/a",
        "/v1/catalog/nodes",
        "/v1/catalog/services",
        "/v1/catalog/service/consul",
        "/v1/health/service/consul",
        "/v1/health/state/any",
        "/v1/session/list",
        "/v1/agent/services",
        "/v1/agent/checks",
        "/v1/event/list",
        "/v1/coordinate/nodes",
        "/v1/query",
        "/v1/agent/metrics",
        "/v1/internal/ui/services",
        "/v1/agent/members",
    ];
    let names = [
        "index",
        "wait",
        "stale",
        "consistent",
        "cached",
        "filter",
        "near",
        "node-meta",
        "tag",
        "recurse",
        "keys",
        "separator",
        "raw",
        "flags",
        "cas",
        "dc",
        "format",
        "pretty",
        "passing",
        "limit",
        "hash",
        "ns",
        "token",
    ];
    for path in paths {
        for _ in 0..25 {
            // A wait that is not junk would be kept.
            let pairs = (0..rng.random_range(1..4)).map(|_| {
                let name = names[rng.random_range(0..names.len())];
                let value = match rng.random_range(0..5) {
                    0 => String::new(),
                    1 => "-1".to_owned(),
                    2 => "(".repeat(rng.random_range(1..2000)),
                    3 => rng.random::<u64>().to_string(),
                    _ => noise(&mut rng, 0..30).iter().map(|byte| format!("%{byte:02x}")).collect(),
                };
                format!("{name}={value}")
            });
            let query = pairs.collect::<Vec<_>>().join("&");
            let query = if query.contains("index=") { format!("{query}&wait=1ms") } else { query };
            let url = agent.url(&format!("{path}?{query}"));
            let sent = agent.http().get(&url).timeout(Duration::from_secs(3)).send().await;
            // Some of these ask to wait for ever, which is no fault.
            let Ok(response) = sent else { continue };
            assert!(response.status().as_u16() >= 200, "{url}");
        }
    }
    agent.is_alive().await;
}
