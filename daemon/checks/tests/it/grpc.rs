use std::time::Duration;

use bytes::Bytes;
use consul_api::types::health::Status;
use consul_checks::AgentTls;
use consul_checks::outcome::Outcome;
use consul_checks::runner::grpc::GrpcCheck;
use consul_checks::tls::{TlsConfigs, TlsSettings, Verify};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::{TestCa, closed_port, serve, serve_bytes, serve_silence, within_limit};

fn check(target: impl Into<String>) -> GrpcCheck {
    GrpcCheck { target: target.into(), tls: None, timeout: Duration::from_secs(10) }
}

async fn run(check: GrpcCheck) -> Outcome {
    within_limit(check.run(&TlsConfigs::default())).await
}

fn trailers(status: &str, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", message.parse().unwrap());
    trailers
}

/// The health service: the service's name says how to behave.
async fn health<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond));
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    assert_eq!(request.headers()["te"], "trailers");
    let mut body = request.into_body();
    let mut frame = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        frame.extend_from_slice(&data);
    }
    let service = String::from_utf8_lossy(frame.get(7..).unwrap_or_default()).into_owned();
    let head = |status: u16| {
        Response::builder().status(status).header("content-type", "application/grpc").body(()).unwrap()
    };
    let message: &'static [u8] = match service.as_str() {
        "down" => &[0, 0, 0, 0, 2, 8, 2],
        "garbage" => &[9, 9, 9],
        _ => &[0, 0, 0, 0, 2, 8, 1],
    };
    match service.as_str() {
        "absent" => {
            let mut head = head(200);
            head.headers_mut().extend(trailers("5", "unknown%20service"));
            respond.send_response(head, true).unwrap();
        }
        "hangs" => std::future::pending().await,
        "resets" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
        "not-found" => drop(respond.send_response(head(404), true)),
        "no-trailers" => {
            let mut stream = respond.send_response(head(200), false).unwrap();
            stream.send_data(Bytes::from_static(message), true).unwrap();
        }
        "endless" => {
            let mut stream = respond.send_response(head(200), false).unwrap();
            while stream.send_data(Bytes::from_static(&[0; 1024]), false).is_ok() {
                tokio::task::yield_now().await;
            }
        }
        _ => {
            let mut stream = respond.send_response(head(200), false).unwrap();
            stream.send_data(Bytes::from_static(message), false).unwrap();
            stream.send_trailers(trailers("0", "")).unwrap();
        }
    }
}

#[tokio::test]
async fn serving_passes_for_the_server_and_for_a_service() {
    let address = serve(health).await;
    for target in [address.to_string(), format!("{address}/up")] {
        let outcome = run(check(target.clone())).await;
        assert_eq!(outcome.status, Status::Passing);
        assert_eq!(outcome.output, format!("gRPC check {target}: success"));
    }
}

#[tokio::test]
async fn anything_else_is_critical_and_says_why() {
    let address = serve(health).await;
    for (service, text) in [
        ("down", format!("gRPC {address}/down serving status: NOT_SERVING")),
        ("absent", "rpc error: code = NotFound desc = unknown service".into()),
        (
            "not-found",
            "rpc error: code = Unimplemented desc = unexpected HTTP status code received from server: \
             404 (Not Found)"
                .into(),
        ),
        (
            "resets",
            "rpc error: code = Internal desc = stream terminated by RST_STREAM with error code: \
             INTERNAL_ERROR"
                .into(),
        ),
        (
            "no-trailers",
            "rpc error: code = Internal desc = server closed the stream without sending trailers".into(),
        ),
        ("garbage", "rpc error: code = Internal desc = malformed health answer".into()),
        ("endless", "rpc error: code = Internal desc = health answer is too large".into()),
    ] {
        let outcome = run(check(format!("{address}/{service}"))).await;
        assert_eq!((outcome.status, outcome.output), (Status::Critical, text), "{service}");
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_cut() {
    let (hanging, silent) = (serve(health).await, serve_silence().await);
    for target in [format!("{hanging}/hangs"), silent.to_string()] {
        let mut check = check(target);
        check.timeout = Duration::from_millis(200);
        let outcome = run(check).await;
        assert_eq!(outcome.output, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
    }
}

#[tokio::test]
async fn connections_that_fail_are_unavailable() {
    let unavailable = "rpc error: code = Unavailable desc = connection";
    let outcome = run(check(closed_port().to_string())).await;
    let dial = "transport: Error while dialing dial tcp 127.0.0.1:1: connect: connection refused";
    assert_eq!(outcome.output, format!("{unavailable} error: desc = \"{dial}\""));

    let outcome = run(check("127.0.0.1")).await;
    let dial = "transport: Error while dialing dial tcp: address 127.0.0.1: missing port in address";
    assert_eq!(outcome.output, format!("{unavailable} error: desc = \"{dial}\""));

    let closing = serve_bytes(b"").await;
    assert_eq!(run(check(closing.to_string())).await.output, format!("{unavailable} closed"));
    let http1 = serve_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(run(check(http1.to_string())).await.output, format!("{unavailable} closed"));
}

#[tokio::test]
async fn tls_is_verified_unless_told_otherwise() {
    let ca = TestCa::new(&["localhost"]);
    let acceptor = ca.acceptor(&[b"h2"]);
    let address = serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                health(stream).await;
            }
        }
    })
    .await;
    let with = |verify| {
        let tls = Some(TlsSettings { verify, server_name: None });
        GrpcCheck { tls, ..check(format!("localhost:{}", address.port())) }
    };
    assert_eq!(run(with(Verify::Nothing)).await.status, Status::Passing);
    let agent = TlsConfigs::new(Some(AgentTls { roots: Some(ca.roots()), identity: None }));
    assert_eq!(within_limit(with(Verify::Chain).run(&agent)).await.status, Status::Passing);
    let outcome = run(with(Verify::Chain)).await;
    let prefix = "rpc error: code = Unavailable desc = connection error: desc = \
                  \"transport: authentication handshake failed: x509: ";
    assert!(outcome.output.starts_with(prefix), "{}", outcome.output);
}
