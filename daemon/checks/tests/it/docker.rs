//! Container checks, against an engine of our own making: it speaks the four requests a check needs.
//!
//! Where a real engine answers, one more test runs against that.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use consul_api::types::health::Status;
use consul_checks::outcome::{Outcome, Trouble};
use consul_checks::runner::docker::{DockerCheck, DockerEngine};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::support::{serve, within_limit};

fn check(container: &str, command: &[&str]) -> DockerCheck {
    DockerCheck {
        container: container.into(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        timeout: None,
        output_max: 4096,
    }
}

async fn run(check: DockerCheck, host: &str) -> Outcome {
    within_limit(check.run(&DockerEngine::new(Some(host)))).await
}

fn reply(status: u16, body: Value) -> Response<Full<Bytes>> {
    let body = Full::from(body.to_string());
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

/// The exec id carries what the command said, so that the later requests know.
async fn engine(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let path = path.strip_prefix("/base").unwrap_or(&path);
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    Ok(match words.as_slice() {
        ["containers", "paused", "exec"] => reply(409, json!({"message": "Container is paused"})),
        ["containers", "broken", "exec"] => reply(500, json!({"message": "server error"})),
        ["containers", "c1", "exec"] => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((&body["AttachStdout"], &body["AttachStderr"]), (&json!(true), &json!(true)));
            let code = body["Cmd"][1].as_str().unwrap_or("0").to_owned();
            reply(201, json!({ "Id": format!("exec-{code}") }))
        }
        ["exec", id, "start"] => start(id, request),
        ["exec", id, "json"] => {
            let code: i64 = id.trim_start_matches("exec-").parse().unwrap_or(0);
            reply(200, json!({"ID": id, "Running": false, "ExitCode": code}))
        }
        _ => reply(404, json!({"message": "No such container"})),
    })
}

/// Switches to the raw stream and sends output from both streams, framed.
fn start(id: &str, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
    let hangs = id == "exec-hang";
    tokio::spawn(async move {
        let mut stream = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
        for (number, text) in [(1, "out\n"), (2, "err\n")] {
            let mut frame = vec![number, 0, 0, 0];
            frame.extend_from_slice(&(text.len() as u32).to_be_bytes());
            frame.extend_from_slice(text.as_bytes());
            stream.write_all(&frame).await.unwrap();
        }
        if hangs {
            std::future::pending::<()>().await;
        }
        let _ = stream.shutdown().await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "tcp")
        .body(Full::default())
        .unwrap()
}

async fn serve_engine<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) {
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(engine));
    let _ = connection.with_upgrades().await;
}

#[tokio::test]
async fn exit_code_is_the_state_and_both_streams_are_shown() {
    let host = format!("tcp://{}", serve(serve_engine).await);
    for (code, status) in [("0", Status::Passing), ("1", Status::Warning), ("2", Status::Critical)] {
        let outcome = run(check("c1", &["exit", code]), &host).await;
        assert_eq!((outcome.status, outcome.output.as_str()), (status, "out\nerr\n"));
    }
}

#[tokio::test]
async fn a_unix_socket_and_a_base_path_work_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_engine(stream));
        }
    });
    let outcome = run(check("c1", &["exit", "0"]), &format!("unix://{}", path.display())).await;
    assert_eq!((outcome.status, outcome.output.as_str()), (Status::Passing, "out\nerr\n"));

    let host = format!("tcp://{}/base", serve(serve_engine).await);
    assert_eq!(run(check("c1", &["exit", "0"]), &host).await.output, "out\nerr\n");
}

#[tokio::test]
async fn refusals_of_the_engine_have_their_texts() {
    let host = format!("tcp://{}", serve(serve_engine).await);
    for (container, text) in [
        ("nope", "create exec failed for unknown container nope"),
        ("paused", "create exec failed since container paused is paused or stopped"),
        ("broken", "create exec failed for container broken with status 500: server error"),
    ] {
        let outcome = run(check(container, &["true"]), &host).await;
        assert_eq!((outcome.status, outcome.output.as_str()), (Status::Critical, text));
        assert_eq!(outcome.trouble, Some(Trouble::EngineFailed));
    }
}

#[tokio::test]
async fn an_engine_out_of_reach_is_critical() {
    let outcome = run(check("c", &["true"]), "tcp://127.0.0.1:1").await;
    let text = "create exec failed for container c: dial tcp 127.0.0.1:1: connect: connection refused";
    assert_eq!((outcome.status, outcome.output.as_str()), (Status::Critical, text));

    let outcome = run(check("c", &["true"]), "unix:///nonexistent.sock").await;
    let text = "create exec failed for container c: \
                dial unix /nonexistent.sock: connect: no such file or directory";
    assert_eq!(outcome.output, text);

    let outcome = run(check("c", &["true"]), "/var/run/docker.sock").await;
    assert_eq!(outcome.output, "unable to parse docker host `/var/run/docker.sock`");
}

#[tokio::test]
async fn a_command_that_hangs_is_given_up_after_the_timeout() {
    let host = format!("tcp://{}", serve(serve_engine).await);
    let mut check = check("c1", &["exit", "hang"]);
    check.timeout = Some(Duration::from_millis(300));
    let outcome = run(check, &host).await;
    assert_eq!(
        (outcome.status, outcome.output.as_str()),
        (Status::Critical, "Timed out (300ms) running check")
    );
}

#[tokio::test]
async fn a_real_engine_knows_no_such_container() {
    let host = std::env::var("DOCKER_HOST").ok();
    if host.is_none() && !Path::new("/var/run/docker.sock").exists() {
        eprintln!("skipped: no container engine is reachable");
        return;
    }
    let engine = DockerEngine::new(host.as_deref());
    let outcome = within_limit(check("no-such-container", &["true"]).run(&engine)).await;
    assert_eq!(outcome.output, "create exec failed for unknown container no-such-container");
}
