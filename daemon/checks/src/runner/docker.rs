//! Docker checks: a command executed inside a container through the engine's API.
//!
//! The engine is dialled per request, as other checks dial their targets: it may restart at any time, and requests
//! are rare. Output is asked for without a terminal, so the engine frames it and nothing a container prints can be
//! taken for framing.

use std::sync::Arc;
use std::time::Duration;

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use consul_api::types::duration::GoDuration;
use futures::{StreamExt, TryFutureExt};
use http::Uri;
use http::uri::PathAndQuery;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

use crate::capture::TailBuffer;
use crate::dial::{dial, errno_text};
use crate::outcome::{Outcome, Trouble, status_of_exit};

const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// How long the engine may take to answer one request; the command itself may run longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const DIAL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerCheck {
    pub container: String,
    pub command: Vec<String>,
    /// None: as long as the command takes.
    pub timeout: Option<Duration>,
    pub output_max: usize,
}

/// Why the engine cannot be reached at all.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DockerHostError {
    #[error("unable to parse docker host `{0}`")]
    Malformed(String),
    #[error("unsupported docker host protocol {0:?}")]
    Protocol(String),
}

/// Where the container engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Endpoint {
    Unix(String),
    /// `host:port`, and a path to put before each request's.
    Tcp {
        address: String,
        base: String,
    },
}

/// Connection to the container engine, shared by all Docker checks.
#[derive(Debug)]
pub struct DockerEngine {
    client: Result<Docker, DockerHostError>,
}

impl DockerEngine {
    /// `host` as in `DOCKER_HOST`; None or empty: the local socket.
    ///
    /// Nothing is dialled yet, and a malformed host only shows when a check runs.
    pub fn new(host: Option<&str>) -> Self {
        let host = host.filter(|host| !host.is_empty()).unwrap_or(DEFAULT_HOST);
        let client = parse_host(host).and_then(|endpoint| {
            let endpoint = Arc::new(endpoint);
            let transport = move |request: BollardRequest| send(Arc::clone(&endpoint), request);
            Docker::connect_with_custom_transport(
                transport,
                Some("http://docker"),
                REQUEST_TIMEOUT.as_secs(),
                API_DEFAULT_VERSION,
            )
            .map_err(|_| DockerHostError::Malformed(host.to_owned()))
        });
        Self { client }
    }
}

fn parse_host(host: &str) -> Result<Endpoint, DockerHostError> {
    let (protocol, rest) =
        host.split_once("://").ok_or_else(|| DockerHostError::Malformed(host.to_owned()))?;
    match protocol {
        "unix" => Ok(Endpoint::Unix(rest.to_owned())),
        "tcp" | "http" => {
            let (address, base) = rest.split_once('/').unwrap_or((rest, ""));
            let base = base.trim_end_matches('/');
            let base = if base.is_empty() { String::new() } else { format!("/{base}") };
            Ok(Endpoint::Tcp { address: address.to_owned(), base })
        }
        other => Err(DockerHostError::Protocol(other.to_owned())),
    }
}

async fn send(
    endpoint: Arc<Endpoint>,
    mut request: BollardRequest,
) -> Result<Response<Incoming>, bollard::errors::Error> {
    match &*endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|error| {
                dial_failure(format!("dial unix {path}: connect: {}", errno_text(&error)))
            })?;
            exchange(stream, request).await
        }
        Endpoint::Tcp { address, base } => {
            let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
            *request.uri_mut() = format!("http://{address}{base}{path}").parse::<Uri>()?;
            let stream = dial(address, Instant::now() + DIAL_TIMEOUT)
                .await
                .map_err(|error| dial_failure(error.to_string()))?;
            exchange(stream, request).await
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    mut request: BollardRequest,
) -> Result<Response<Incoming>, bollard::errors::Error> {
    let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
    if let Ok(host) = host.parse() {
        request.headers_mut().insert(http::header::HOST, host);
    }
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    *request.uri_mut() = path.parse::<Uri>()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the exchange: once request and response are dropped, nobody holds the connection.
    tokio::spawn(connection.with_upgrades().unwrap_or_else(|_| ()));
    Ok(sender.send_request(request).await?)
}

fn dial_failure(text: String) -> bollard::errors::Error {
    std::io::Error::other(text).into()
}

/// The requests of one run, as error texts name them.
#[derive(Clone, Copy)]
enum Step {
    Create,
    Start,
    Inspect,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Inspect => "inspect",
        }
    }
}

impl DockerCheck {
    pub async fn run(&self, engine: &DockerEngine) -> Outcome {
        let mut output = TailBuffer::new(self.output_max);
        let executed = self.execute(engine, &mut output);
        let result = match self.timeout {
            None => executed.await,
            Some(limit) => timeout(limit, executed)
                .await
                .unwrap_or_else(|_| Err(format!("Timed out ({}) running check", GoDuration::from(limit)))),
        };
        match result {
            Ok(code) => Outcome::new(status_of_exit(code), output.text_with_notice()),
            Err(text) => Outcome::critical(text).because(Trouble::EngineFailed),
        }
    }

    /// Answers the command's exit code.
    async fn execute(&self, engine: &DockerEngine, output: &mut TailBuffer) -> Result<Option<i64>, String> {
        let docker = engine.client.as_ref().map_err(ToString::to_string)?;
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(self.command.clone()),
            ..Default::default()
        };
        let exec = docker
            .create_exec(&self.container, options)
            .await
            .map_err(|error| self.failure(Step::Create, &error))?;
        let started = docker
            .start_exec(&exec.id, Some(StartExecOptions { detach: false, tty: false, ..Default::default() }))
            .await
            .map_err(|error| self.failure(Step::Start, &error))?;
        if let StartExecResults::Attached { output: mut frames, .. } = started {
            // A connection that breaks here has lost only output: the engine still knows the exit code.
            while let Some(Ok(frame)) = frames.next().await {
                output.push(&frame.into_bytes());
            }
        }
        let state =
            docker.inspect_exec(&exec.id).await.map_err(|error| self.failure(Step::Inspect, &error))?;
        Ok(state.exit_code)
    }

    fn failure(&self, step: Step, error: &bollard::errors::Error) -> String {
        let (verb, container) = (step.name(), &self.container);
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code: 404, .. } => {
                format!("{verb} exec failed for unknown container {container}")
            }
            bollard::errors::Error::DockerResponseServerError { status_code: 409, .. } => {
                format!("{verb} exec failed since container {container} is paused or stopped")
            }
            bollard::errors::Error::DockerResponseServerError { status_code, message } => {
                format!("{verb} exec failed for container {container} with status {status_code}: {message}")
            }
            other => format!("{verb} exec failed for container {container}: {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hosts_are_sockets_or_addresses_with_an_optional_base() {
        assert_eq!(parse_host(DEFAULT_HOST), Ok(Endpoint::Unix("/var/run/docker.sock".into())));
        let tcp =
            |address: &str, base: &str| Ok(Endpoint::Tcp { address: address.into(), base: base.into() });
        assert_eq!(parse_host("tcp://h:2375"), tcp("h:2375", ""));
        assert_eq!(parse_host("tcp://h:2375/base/x/"), tcp("h:2375", "/base/x"));
    }

    #[test]
    fn a_host_without_a_protocol_is_refused() {
        let error = parse_host("/var/run/docker.sock").unwrap_err();
        assert_eq!(error.to_string(), "unable to parse docker host `/var/run/docker.sock`");
        assert_eq!(parse_host("ssh://h"), Err(DockerHostError::Protocol("ssh".into())));
    }
}
