//! Sends requests: a bare HTTP/1.1 stack for plain and Unix connections, reqwest for TLS.
//!
//! Both are built on first use. A command-line tool makes one request and ends: for it, loading certificates or
//! starting a pool would cost more than the request.

use std::io;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::address::Address;
use super::config::{Config, Resolved};
use super::connect::Connector;
use super::error::{ClientError, root_words};
use super::tls;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A request or response body.
pub(super) type Body = BoxBody<Bytes, BoxError>;

pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

pub(super) struct Transport {
    config: Config,
    resolved: Resolved,
    plain: OnceLock<legacy::Client<Connector, Body>>,
    tls: OnceLock<Result<reqwest::Client, String>>,
}

impl Transport {
    pub fn new(config: Config, resolved: Resolved) -> Self {
        Self { config, resolved, plain: OnceLock::new(), tls: OnceLock::new() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// `path` has prefix and query. `describe` names the request in errors.
    pub async fn send(
        &self,
        mut request: Request<Body>,
        path: &str,
        describe: impl Fn() -> String,
    ) -> Result<Response<Body>, ClientError> {
        match &self.resolved.address {
            Address::Https(authority) => {
                let client = self.tls_client()?;
                let url = format!("{}{path}", tls::origin(&self.config, authority));
                let (parts, body) = request.into_parts();
                let sent = client
                    .request(parts.method, url)
                    .headers(parts.headers)
                    .body(reqwest::Body::wrap(body))
                    .send()
                    .await;
                let response: Response<reqwest::Body> =
                    sent.map_err(|error| transport_error(describe(), &error))?.into();
                Ok(response.map(|body| body.map_err(BoxError::from).boxed()))
            }
            _ => {
                let base = "http://agent";
                *request.uri_mut() =
                    format!("{base}{path}").parse().map_err(|_| ClientError::Parameter("path"))?;
                let sent = self.plain_client().request(request).await;
                let response = sent.map_err(|error| transport_error(describe(), &error))?;
                Ok(response.map(|body| body.map_err(BoxError::from).boxed()))
            }
        }
    }

    fn plain_client(&self) -> &legacy::Client<Connector, Body> {
        self.plain.get_or_init(|| {
            let connections = &self.config.connections;
            let connector = Connector {
                address: self.resolved.address.clone(),
                timeout: self.config.connect_timeout,
                keep_alive: connections.keep_alive,
            };
            legacy::Client::builder(TokioExecutor::new())
                .pool_idle_timeout(connections.idle_timeout)
                .pool_max_idle_per_host(connections.idle_max)
                .pool_timer(TokioTimer::new())
                .build(connector)
        })
    }

    fn tls_client(&self) -> Result<&reqwest::Client, ClientError> {
        let built = self.tls.get_or_init(|| match &self.resolved.address {
            Address::Https(authority) => {
                tls::build(&self.config, &self.resolved, authority).map_err(|error| error.to_string())
            }
            _ => Err("the address is not https".to_owned()),
        });
        built.as_ref().map_err(|error| ClientError::Tls(error.clone()))
    }
}

pub(super) fn transport_error(request: String, error: &(dyn std::error::Error + 'static)) -> ClientError {
    // A certificate that is wrong now will be wrong in a minute.
    let reason = root_words(error);
    let retryable = !reason.contains("certificate");
    ClientError::Transport { request, reason, retryable }
}

/// A body that a blocking reader feeds from its own thread.
pub(super) fn from_reader(mut reader: impl io::Read + Send + 'static) -> Body {
    const CHUNK: usize = 64 << 10;
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(4);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            let outcome = match reader.read(&mut chunk) {
                Ok(0) => return,
                Ok(len) => {
                    chunk.truncate(len);
                    Ok(Bytes::from(chunk))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = outcome.is_err();
            if sender.blocking_send(outcome).is_err() || failed {
                return;
            }
        }
    });
    let frames = futures::stream::poll_fn(move |cx| {
        receiver
            .poll_recv(cx)
            .map(|chunk| chunk.map(|chunk| chunk.map(hyper::body::Frame::data).map_err(BoxError::from)))
    });
    BodyExt::boxed(http_body_util::StreamBody::new(frames))
}
