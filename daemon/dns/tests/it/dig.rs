//! What `dig` makes of our answers.

use std::process::Stdio;

use tokio::process::Command;

use crate::world::{World, serve};

/// Output of dig, or `None` where it is not installed.
async fn dig(port: u16, args: &[&str]) -> Option<String> {
    let port = port.to_string();
    let mut command = Command::new("dig");
    command.args(["@127.0.0.1", "-p", &port, "+time=5", "+tries=1", "+nocookie"]).args(args);
    match command.stdin(Stdio::null()).output().await {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: dig is not installed");
            None
        }
        Err(error) => panic!("dig: {error}"),
    }
}

#[tokio::test]
async fn dig_reads_services_over_both_transports() {
    let dns = serve(World::new()).await;
    for transport in ["+notcp", "+tcp"] {
        let Some(text) = dig(dns.addr.port(), &["web.service.consul", "SRV", transport]).await else {
            return;
        };
        assert!(text.contains("status: NOERROR"), "{text}");
        assert!(text.contains("flags: qr aa rd;"), "{text}");
        assert!(text.contains("web1.node.dc1.consul.\t0\tIN\tA\t10.2.0.1"), "{text}");
        assert!(text.contains("\"rack=r1\""), "{text}");
        assert!(!text.contains("malformed") && !text.contains("WARNING: Message"), "{text}");
    }
}

#[tokio::test]
async fn dig_retries_over_tcp_when_told_of_truncation() {
    let mut world = World::new();
    world.add_many("many", 12);
    let dns = serve(world).await;
    dns.world.configure(|settings| settings.enable_truncate = true);
    let Some(text) = dig(dns.addr.port(), &["many.service.consul", "+noedns"]).await else { return };
    assert!(text.contains("Truncated, retrying in TCP mode") && text.contains("ANSWER: 12"), "{text}");
    let Some(text) = dig(dns.addr.port(), &["many.service.consul", "+noedns", "+ignore"]).await else {
        return;
    };
    assert!(text.contains("qr aa tc rd") && text.contains("ANSWER: 3"), "{text}");
}

#[tokio::test]
async fn dig_asks_with_options_that_resolvers_set() {
    let dns = serve(World::new()).await;
    let port = dns.addr.port();
    let args = ["web.service.consul", "+dnssec", "+bufsize=1232", "+subnet=10.0.0.0/24", "+cdflag"];
    let Some(text) = dig(port, &args).await else { return };
    assert!(text.contains("status: NOERROR") && text.contains("ANSWER: 3"), "{text}");
    assert!(text.contains("CLIENT-SUBNET: 10.0.0.0/24/0") && text.contains("udp: 1232"), "{text}");
    let Some(text) = dig(port, &["web.service.consul", "+edns=1", "+noednsnegotiation"]).await else {
        return;
    };
    assert!(text.contains("status: BADVERS") && text.contains("ANSWER: 0"), "{text}");
    // Left to itself, dig goes back to the version it is told.
    let Some(text) = dig(port, &["web.service.consul", "+edns=1"]).await else { return };
    assert!(text.contains("status: NOERROR") && text.contains("ANSWER: 3"), "{text}");
    let Some(text) = dig(port, &["nothing.service.consul"]).await else { return };
    assert!(text.contains("status: NXDOMAIN") && text.contains("hostmaster.consul."), "{text}");
}
