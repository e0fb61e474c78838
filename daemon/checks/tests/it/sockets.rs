use std::time::Duration;

use consul_api::types::health::Status;
use consul_checks::runner::h2ping::H2PingCheck;
use consul_checks::runner::tcp::TcpCheck;
use consul_checks::runner::udp::UdpCheck;
use consul_checks::tls::{TlsConfigs, TlsSettings, Verify};
use consul_checks::{AgentTls, outcome::Trouble};
use tokio::net::UdpSocket;

use crate::support::{TestCa, closed_port, serve, serve_bytes, serve_silence};

const TIMEOUT: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(200);

fn tcp(target: String) -> TcpCheck {
    TcpCheck { target, tls: None, timeout: TIMEOUT }
}

fn skip_verify() -> Option<TlsSettings> {
    Some(TlsSettings { verify: Verify::Nothing, server_name: None })
}

#[tokio::test]
async fn tcp_passes_on_an_open_port_and_names_the_target() {
    let port = serve_silence().await.port();
    for target in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), format!(":{port}")] {
        let outcome = tcp(target.clone()).run(&TlsConfigs::default()).await;
        assert_eq!(outcome.status, Status::Passing);
        assert_eq!(outcome.output, format!("TCP connect {target}: Success"));
    }
}

#[tokio::test]
async fn tcp_on_a_closed_port_is_critical() {
    let address = closed_port();
    let outcome = tcp(address.to_string()).run(&TlsConfigs::default()).await;
    assert_eq!(outcome.status, Status::Critical);
    assert_eq!(outcome.output, format!("dial tcp {address}: connect: connection refused"));
    assert_eq!(outcome.trouble, Some(Trouble::ConnectionFailed));
}

#[tokio::test]
async fn tcp_without_a_port_is_critical() {
    let outcome = tcp("127.0.0.1".into()).run(&TlsConfigs::default()).await;
    assert_eq!(outcome.output, "dial tcp: address 127.0.0.1: missing port in address");
}

#[tokio::test]
async fn tcp_with_tls_wants_a_handshake() {
    let ca = TestCa::new(&["localhost"]);
    let acceptor = ca.acceptor(&[]);
    let secure = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move { drop(acceptor.accept(stream).await) }
    })
    .await;
    let agent = AgentTls { roots: Some(ca.roots()), identity: None };
    let target = format!("localhost:{}", secure.port());
    let check = TcpCheck { target: target.clone(), tls: Some(TlsSettings::default()), timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::new(Some(agent))).await;
    assert_eq!((outcome.status, outcome.output), (Status::Passing, format!("TCP connect {target}: Success")));

    let plain = serve_bytes(b"SSH-2.0-x\r\n").await;
    let check = TcpCheck { target: plain.to_string(), tls: skip_verify(), timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    assert_eq!(outcome.output, "tls: first record does not look like a TLS handshake");

    let silent = serve_silence().await;
    let check = TcpCheck { target: silent.to_string(), tls: skip_verify(), timeout: SHORT };
    assert_eq!(check.run(&TlsConfigs::default()).await.status, Status::Critical);
}

#[tokio::test]
async fn udp_passes_on_an_answer_and_on_silence() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let silent = UdpCheck { target: address.to_string(), timeout: SHORT };
    let outcome = silent.run().await;
    assert_eq!(
        (outcome.status, outcome.output),
        (Status::Passing, format!("UDP connect {address}: Success"))
    );
    let mut datagram = [1; 8];
    let (len, client) = socket.recv_from(&mut datagram).await.unwrap();
    assert_eq!((len, client.ip()), (0, address.ip()));

    tokio::spawn(async move {
        let (_, client) = socket.recv_from(&mut [0; 8]).await.unwrap();
        socket.send_to(b"hello", client).await.unwrap();
    });
    let answered = UdpCheck { target: address.to_string(), timeout: TIMEOUT };
    let outcome = crate::support::within_limit(answered.run()).await;
    assert_eq!(outcome.status, Status::Passing);
}

#[tokio::test]
async fn udp_refused_by_the_network_is_critical() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let outcome = UdpCheck { target: address.to_string(), timeout: TIMEOUT }.run().await;
    assert_eq!(outcome.status, Status::Critical);
    assert!(outcome.output.starts_with("read udp 127.0.0.1:"), "{}", outcome.output);
    assert!(
        outcome.output.ends_with(&format!("->{address}: read: connection refused")),
        "{}",
        outcome.output
    );

    let outcome = UdpCheck { target: "127.0.0.1".into(), timeout: SHORT }.run().await;
    assert_eq!(outcome.output, "dial udp: address 127.0.0.1: missing port in address");
}

async fn h2_over<S>(stream: S)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    if let Ok(mut connection) = h2::server::handshake(stream).await {
        while connection.accept().await.is_some() {}
    }
}

#[tokio::test]
async fn h2ping_passes_with_and_without_tls() {
    let plain = serve(h2_over).await;
    let check = H2PingCheck { target: plain.to_string(), tls: None, timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    assert_eq!((outcome.status, outcome.output.as_str()), (Status::Passing, "HTTP2 ping was successful"));

    let acceptor = TestCa::new(&["localhost"]).acceptor(&[b"h2"]);
    let secure = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                h2_over(stream).await;
            }
        }
    })
    .await;
    let check = H2PingCheck { target: secure.to_string(), tls: skip_verify(), timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    assert_eq!((outcome.status, outcome.output.as_str()), (Status::Passing, "HTTP2 ping was successful"));

    let check =
        H2PingCheck { target: secure.to_string(), tls: Some(TlsSettings::default()), timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    let prefix = format!("Failed to dial to {secure}: x509: ");
    assert!(outcome.output.starts_with(&prefix), "{}", outcome.output);
}

#[tokio::test]
async fn h2ping_failures_say_what_failed() {
    let closed = closed_port();
    let check = H2PingCheck { target: closed.to_string(), tls: None, timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    let refused = format!("Failed to dial to {closed}: dial tcp {closed}: connect: connection refused");
    assert_eq!((outcome.status, outcome.output), (Status::Critical, refused));

    let silent = serve_silence().await;
    let check = H2PingCheck { target: silent.to_string(), tls: None, timeout: SHORT };
    let outcome = check.run(&TlsConfigs::default()).await;
    assert_eq!(outcome.output, "HTTP2 ping failed: context deadline exceeded");

    let http1 = serve_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let check = H2PingCheck { target: http1.to_string(), tls: None, timeout: TIMEOUT };
    let outcome = check.run(&TlsConfigs::default()).await;
    assert!(outcome.output.starts_with("HTTP2 ping failed: "), "{}", outcome.output);
}
