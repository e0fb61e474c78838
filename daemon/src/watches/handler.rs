//! What a watch runs: a program that reads the change, or a request that carries it.

use std::time::Duration;

use consul_checks::capture::TailBuffer;
use futures::StreamExt as _;
use http::header::CONTENT_TYPE;
use tracing::{debug, error, trace, warn};

use super::definition::{HandlerSpec, HttpSpec};
use super::subject::Change;
use crate::child::{Child, Event, Program};

/// Bytes of output that reach the log.
const OUTPUT_MAX: usize = 4096;
/// Bytes of an answer's body that are looked at.
const BODY_MAX: usize = 64 * 1024;
/// Tries of a request that got no answer or a server's error, and the pause after the first; it doubles.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(1);

pub enum Handler {
    Program(Program),
    Http { spec: HttpSpec, client: reqwest::Client },
}

impl Handler {
    pub fn new(spec: &HandlerSpec) -> Result<Self, reqwest::Error> {
        Ok(match spec {
            HandlerSpec::Shell(line) => Self::Program(Program::shell(line)),
            HandlerSpec::Program(args) => Self::Program(Program::args(args)),
            HandlerSpec::Http(spec) => {
                let client = reqwest::Client::builder()
                    .timeout(spec.timeout)
                    .danger_accept_invalid_certs(spec.tls_skip_verify)
                    .build()?;
                Self::Http { spec: spec.clone(), client }
            }
        })
    }

    /// Returns once the handler is done with the change. Failures are logged: the next change may fare better.
    pub async fn run(&self, change: Change) {
        match self {
            Self::Program(program) => run_program(program, change).await,
            Self::Http { spec, client } => send(spec, client, &change).await,
        }
    }
}

async fn run_program(program: &Program, change: Change) {
    let mut input = change.json;
    input.push(b'\n');
    let env = [("CONSUL_INDEX", change.index.to_string())];
    let mut child = match Child::start(program, &env, Some(input)) {
        Ok(child) => child,
        Err(failure) => {
            error!(target: "agent", watch_handler = program.name(), error = %failure, "Failed to run watch handler");
            return;
        }
    };
    let mut output = TailBuffer::new(OUTPUT_MAX);
    let mut chunk = vec![0; OUTPUT_MAX];
    let status = loop {
        match child.next(&mut chunk).await {
            Event::Output(length) => output.push(chunk.get(..length).unwrap_or_default()),
            Event::Exited(status) => break status,
        }
    };
    if !status.success() {
        error!(target: "agent", watch_handler = program.name(), error = %status, "Failed to run watch handler");
    }
    debug!(target: "agent", watch_handler = program.name(), output = %output.text_with_notice(), "watch handler output");
}

async fn send(spec: &HttpSpec, client: &reqwest::Client, change: &Change) {
    let mut pause = RETRY;
    for left in (0..TRIES).rev() {
        match try_send(spec, client, change).await {
            Ok(output) => {
                trace!(target: "agent", watch_handler = %url(spec), %output, "http watch handler output");
                return;
            }
            Err(failure) if failure.may_pass && left > 0 => {
                warn!(target: "agent", watch_handler = %url(spec), error = %failure.text, retry = ?pause, "http watch handler failed");
            }
            Err(failure) => {
                error!(target: "agent", watch_handler = %url(spec), error = %failure.text, "http watch handler failed");
                return;
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Why a change did not arrive.
struct SendFailure {
    text: String,
    /// Trying again may help.
    may_pass: bool,
}

async fn try_send(spec: &HttpSpec, client: &reqwest::Client, change: &Change) -> Result<String, SendFailure> {
    let mut body = change.json.clone();
    body.push(b'\n');
    let mut request = client
        .request(spec.method.clone(), &spec.url)
        .header(CONTENT_TYPE, "application/json")
        .header("X-Consul-Index", change.index);
    for (name, value) in &spec.headers {
        request = request.header(name, value);
    }
    let unsent = |error: reqwest::Error| {
        let may_pass = !error.is_builder();
        SendFailure { text: chain(&error.without_url()), may_pass }
    };
    let response = request.body(body).send().await.map_err(unsent)?;
    let status = response.status();
    let output = read_body(response).await;
    if status.is_success() {
        return Ok(output);
    }
    Err(SendFailure { text: format!("{status}: {output}"), may_pass: status.is_server_error() })
}

/// The end of the body's beginning: enough to see what happened.
async fn read_body(response: reqwest::Response) -> String {
    let mut output = TailBuffer::new(OUTPUT_MAX);
    let mut stream = response.bytes_stream();
    while let Some(Ok(part)) = stream.next().await {
        output.push(&part);
        if output.total() >= BODY_MAX as u64 {
            break;
        }
    }
    output.text_with_notice()
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

/// The address without what may be secret in it.
fn url(spec: &HttpSpec) -> String {
    match reqwest::Url::parse(&spec.url) {
        Ok(mut url) => {
            url.set_query(None);
            // Fails only for addresses that have no user part anyway.
            let _ = url.set_password(None);
            url.into()
        }
        Err(_) => "(invalid URL)".to_owned(),
    }
}
