//! Servers that get metrics sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use consul_telemetry::metrics::{MetricsConfig, Registry, run};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_server_gets_what_has_changed_in_its_own_form() {
    let statsd = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let dogstatsd = UdpSocket::bind("127.0.0.1:0").await.expect("binds");
    let statsite = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = |address: std::net::SocketAddr| address.to_string().parse().expect("has a port");
    let registry = Arc::new(Registry::default());
    registry.configure(MetricsConfig {
        hostname: "n1".to_owned(),
        statsd: Some(address(statsd.local_addr().expect("bound"))),
        dogstatsd: Some(address(dogstatsd.local_addr().expect("bound"))),
        statsite: Some(address(statsite.local_addr().expect("bound"))),
        dogstatsd_tags: vec!["env:test".to_owned()],
        ..MetricsConfig::default()
    });
    let applied = registry.counter("kvs.apply", &[]);
    applied.incr();
    applied.incr();
    registry.gauge("peers", &[]).set(3.0);
    registry.sample("fsm", &[("op", "set")]).observe(1.5);

    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(run(Arc::clone(&registry), stopped));
    let plain = ["consul.fsm.set:1.500000|ms", "consul.kvs.apply:2.000000|c", "consul.n1.peers:3.000000|g"];
    assert_eq!(datagram_lines(&statsd, plain.len()).await, BTreeSet::from(plain.map(str::to_owned)));
    let tagged = [
        "consul.fsm:1.5|ms|#env:test,op:set",
        "consul.kvs.apply:2|c|#env:test",
        "consul.n1.peers:3|g|#env:test",
    ];
    assert_eq!(datagram_lines(&dogstatsd, tagged.len()).await, BTreeSet::from(tagged.map(str::to_owned)));
    let (stream, _) = timeout(LIMIT, statsite.accept()).await.expect("in time").expect("accepts");
    let mut lines = BufReader::new(stream).lines();
    let mut found = BTreeSet::new();
    while found.len() < plain.len() {
        let line = timeout(LIMIT, lines.next_line()).await.expect("in time").expect("reads").expect("a line");
        found.insert(line);
    }
    assert_eq!(found, BTreeSet::from(plain.map(str::to_owned)));

    applied.incr();
    stop.send(true).expect("is running");
    timeout(LIMIT, running).await.expect("in time").expect("no panic");
    let last = timeout(LIMIT, lines.next_line()).await.expect("in time").expect("reads");
    assert_eq!(last.as_deref(), Some("consul.kvs.apply:1.000000|c"), "what was left is sent at the end");
}

#[tokio::test]
async fn servers_that_are_not_there_stop_nothing() {
    let registry = Arc::new(Registry::default());
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("bound");
    registry.configure(MetricsConfig {
        statsd: Some("no-such-host.invalid:8125".parse().expect("has a port")),
        statsite: Some(closed.to_string().parse().expect("has a port")),
        ..MetricsConfig::default()
    });
    registry.counter("events", &[]).incr();
    let (stop, stopped) = watch::channel(true);
    timeout(LIMIT, run(registry, stopped)).await.expect("ends in time");
    drop(stop);
}

async fn datagram_lines(socket: &UdpSocket, count: usize) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut buffer = [0; 2048];
    while found.len() < count {
        let length = timeout(LIMIT, socket.recv(&mut buffer)).await.expect("in time").expect("receives");
        found.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
    }
    found
}
