//! Listeners, and the steps that every request takes around its handler.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures::FutureExt as _;
use http::header::{ALLOW, HeaderName, HeaderValue, LOCATION, VARY};
use http::{Method, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, warn};

use super::connections::{Admission, Connections, Refusal, Source};
use super::failure::Failure;
use super::params::Params;
use super::path::{self, Cleaned};
use super::refusal::{self, Answer, Exchange, Spoken};
use super::reply::{self, Body, MetaHeaders, Reply};
use super::request::{self, Peer, Request};
use super::request_body::RequestBody;
use super::route::{ChecksMethods, FailureMeta, Found, Route, Router};
use super::settings::{HEAD_MAX_LEAST, HttpSettings};
use crate::agent::Agent;
use crate::rpc::ReadMeta;

/// How long open requests may go on once the agent stops.
const DRAIN: Duration = Duration::from_millis(500);
/// Pause after an accept failed, so that a lack of file descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const TOO_MANY_FROM_SOURCE: &str =
    "Your IP is issuing too many concurrent connections, please rate limit your calls";
const TOO_MANY_IN_ALL: &str = "The agent has too many open connections, please try again later";

/// The HTTP door of one agent.
pub struct HttpServer {
    agent: Arc<Agent>,
    router: Router,
    metrics: super::metrics::RequestMetrics,
    connections: Arc<Connections>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl HttpServer {
    pub fn new(agent: Arc<Agent>, connections_max: usize, stop: CancellationToken) -> Arc<Self> {
        let router = Router::new(super::endpoints::ALL);
        let metrics = super::metrics::RequestMetrics::new(router.rows(), agent.node_name());
        let connections = Connections::new(connections_max);
        Arc::new(Self { agent, router, metrics, connections, stop, tasks: TaskTracker::new() })
    }

    /// Accepts on `listener` until the agent stops.
    pub fn serve_tcp(self: &Arc<Self>, listener: TcpListener) {
        let server = self.clone();
        self.tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = server.stop.cancelled() => break,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, address)) => {
                        // Small answers must not wait for the next packet.
                        let _ = stream.set_nodelay(true);
                        let peer = Peer::Ip(address.ip().to_canonical(), address.port());
                        server.admit(stream, peer);
                    }
                    Err(error) => server.accept_failed(&error).await,
                }
            }
        });
    }

    /// The same on a Unix socket; everybody on it counts as one client.
    pub fn serve_unix(self: &Arc<Self>, listener: UnixListener) {
        let server = self.clone();
        self.tasks.spawn(async move {
            loop {
                let accepted = tokio::select! {
                    () = server.stop.cancelled() => break,
                    accepted = listener.accept() => accepted,
                };
                match accepted {
                    Ok((stream, _)) => server.admit(stream, Peer::Unix),
                    Err(error) => server.accept_failed(&error).await,
                }
            }
        });
    }

    /// Waits until every connection has ended; call after the stop signal.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn accept_failed(&self, error: &std::io::Error) {
        warn!(target: "agent.http", %error, "could not accept a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    fn admit<S>(self: &Arc<Self>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let source = match peer {
            Peer::Ip(ip, _) => Source::Ip(ip),
            Peer::Unix => Source::Unix,
        };
        let source_max = self.agent.http.load().max_conns_per_client;
        match self.connections.admit(source, source_max) {
            Ok(admission) => {
                self.tasks.spawn(self.clone().serve_connection(stream, peer, admission));
            }
            Err(refusal) => {
                self.tasks.spawn(turn_away(stream, refusal));
            }
        }
    }

    async fn serve_connection<S>(self: Arc<Self>, stream: S, peer: Peer, _admission: Admission)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stop = self.stop.clone();
        let head_max = self.agent.http.load().head_max.max(HEAD_MAX_LEAST);
        let exchange = Exchange::default();
        let stream = Spoken::new(stream, exchange.clone());
        let service = service_fn(move |mut request| {
            exchange.begin();
            request::detach(&mut request);
            let (server, exchange) = (self.clone(), exchange.clone());
            async move {
                let response = server.respond(request, peer).await;
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, exchange)))
            }
        });
        let mut connection = http1::Builder::new()
            .title_case_headers(true)
            .header_read_timeout(None)
            .max_buf_size(head_max)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            // An error here is the peer's: it went away or spoke no HTTP, and was told so if it can be told.
            ended = &mut connection => {
                if ended.is_err_and(|error| error.is_parse_version_h2()) {
                    say(connection.into_parts().io.into_inner().into_inner(), refusal::text(refusal::UNSUPPORTED_VERSION)).await;
                }
                return;
            }
            () = stop.cancelled() => Pin::new(&mut connection).graceful_shutdown(),
        }
        let _ = tokio::time::timeout(DRAIN, &mut connection).await;
    }

    async fn respond(&self, request: http::Request<Incoming>, peer: Peer) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if let Some(problem) = refusal::host_problem(parts.version, &parts.headers) {
            return bad_request(problem);
        }
        let body = RequestBody::new(body);
        let settings = self.agent.http.load();
        let path = match path::clean(parts.uri.path(), settings.allow_unprintable) {
            Cleaned::Path(path) => path,
            Cleaned::Redirect(to) => return redirect(&parts.method, &with_query(to, &parts.uri)),
            Cleaned::Unprintable => return bare(StatusCode::BAD_REQUEST),
            Cleaned::BadEscape => return bad_request("400 Bad Request"),
        };
        if !path.starts_with(b"/v1/")
            && let Some(response) = super::ui::respond(&parts.method, &path)
        {
            return response;
        }
        let (index, route, rest) = match self.router.find(&path) {
            Found::Route { index, route, rest } => (index, route, rest),
            Found::AddSlash => {
                return redirect(&parts.method, &with_query(path::encode(&path) + "/", &parts.uri));
            }
            Found::Nothing => return bare(StatusCode::NOT_FOUND),
        };
        let started = Instant::now();
        let compress = reply::accepts_gzip(&parts.headers);
        let mut reply = match refuse_early(&settings, route, &path, &parts.method, peer) {
            Some(reply) => reply,
            None => match Params::parse(parts.uri.query()) {
                Err(_) => Reply::status(StatusCode::INTERNAL_SERVER_ERROR),
                Ok(params) => {
                    let request = Request {
                        method: parts.method.clone(),
                        rest: rest.into(),
                        pretty: settings.always_pretty || params.has("pretty"),
                        params,
                        headers: parts.headers,
                        body,
                        peer,
                        max_stale_default: settings.max_stale_default(&path),
                    };
                    drop(settings);
                    self.handle(route, request).await
                }
            },
        };
        self.metrics.observe(index, &parts.method, reply.status, started.elapsed());
        log_finished(&parts.method, &parts.uri, peer, started);
        finish(&mut reply, &self.agent.http.load(), compress);
        reply.into_response()
    }

    async fn handle(&self, route: &Route, request: Request) -> Reply {
        let refused = super::namespaces::refuse(route.path, &request);
        let outcome = match refused {
            Some(failure) => Err(failure),
            None => unwinding((route.handler)(self.agent.clone(), request), route.path).await,
        };
        match outcome {
            Ok(reply) => reply,
            Err(failure) => failed(route, failure),
        }
    }
}

/// A handler that panics is a fault of ours: the client is told, and other requests on its connection go on.
async fn unwinding(
    handled: impl Future<Output = Result<Reply, Failure>>,
    path: &str,
) -> Result<Reply, Failure> {
    AssertUnwindSafe(handled).catch_unwind().await.unwrap_or_else(|panic| {
        let reason = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        error!(target: "agent.http", path, error = %reason, "a request could not be handled because of a fault in the agent");
        Err(Failure::internal("internal error: the request could not be handled"))
    })
}

fn failed(route: &Route, failure: Failure) -> Reply {
    let server_side = failure.status.is_server_error() || failure.status == StatusCode::FORBIDDEN;
    let reply = Reply::from_failure(failure);
    if route.failure_meta == FailureMeta::Unknown && server_side {
        return reply.with_meta(&ReadMeta::default(), MetaHeaders::Index);
    }
    reply
}

/// Answers that need no handler: OPTIONS, wrong methods, blocked paths, writes from where they are not allowed.
fn refuse_early(
    settings: &HttpSettings,
    route: &Route,
    path: &[u8],
    method: &Method,
    peer: Peer,
) -> Option<Reply> {
    if settings.is_blocked(path) {
        return Some(Reply::from_failure(Failure::forbidden("Endpoint is blocked by agent configuration")));
    }
    let by_table = route.checks_methods == ChecksMethods::Table;
    if by_table && method == Method::OPTIONS {
        return Some(Reply::empty().with_header("allow", route.allow()));
    }
    let is_write = matches!(*method, Method::PUT | Method::POST | Method::DELETE | Method::PATCH);
    if is_write && let Peer::Ip(ip, _) = peer {
        let networks = &settings.allow_write_from;
        if !networks.is_empty() && !networks.iter().any(|network| network.contains(&ip)) {
            return Some(Reply::from_failure(Failure::forbidden("Access is restricted")));
        }
    }
    if by_table && !route.methods.contains(method) {
        let refused = Failure::new(StatusCode::METHOD_NOT_ALLOWED, format!("method {method} not allowed"));
        let mut reply = Reply::from_failure(refused);
        if let Ok(allow) = HeaderValue::try_from(route.allow()) {
            reply.headers.push((ALLOW, allow));
        }
        return Some(reply);
    }
    None
}

/// Headers and compression of every API answer.
fn finish(reply: &mut Reply, settings: &HttpSettings, compress: bool) {
    if compress {
        reply.compress();
    }
    reply.headers.push((VARY, HeaderValue::from_static("Accept-Encoding")));
    let policy = HeaderName::from_static("x-consul-default-acl-policy");
    reply.headers.push((policy, HeaderValue::from_static(settings.default_policy)));
    if settings.translate_wan_addrs {
        let translate = HeaderName::from_static("x-consul-translate-addresses");
        reply.headers.push((translate, HeaderValue::from_static("true")));
    }
    reply.headers.extend(settings.response_headers.iter().cloned());
}

fn log_finished(method: &Method, uri: &Uri, peer: Peer, started: Instant) {
    if !tracing::enabled!(target: "agent.http", tracing::Level::DEBUG) {
        return;
    }
    let url = consul_telemetry::log::redact_url(uri.path_and_query().map_or("/", |part| part.as_str()));
    let from = match peer {
        Peer::Ip(ip, port) => SocketAddr::new(ip, port).to_string(),
        Peer::Unix => "@".to_owned(),
    };
    let latency = consul_api::types::duration::GoDuration::from(started.elapsed());
    debug!(target: "agent.http", %method, %url, %from, %latency, "Request finished");
}

fn bare(status: StatusCode) -> Response<Body> {
    Reply::status(status).into_response()
}

fn bad_request(reason: &'static str) -> Response<Body> {
    Reply::text(StatusCode::BAD_REQUEST, reason).with_header("connection", "close").into_response()
}

fn with_query(path: String, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => path + "?" + query,
        None => path,
    }
}

pub(super) fn redirect(method: &Method, to: &str) -> Response<Body> {
    let mut reply = if *method == Method::GET || *method == Method::HEAD {
        let escaped =
            to.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;");
        let body = format!("<a href=\"{escaped}\">Moved Permanently</a>.\n\n");
        Reply::bytes("text/html; charset=utf-8", body.into())
    } else {
        Reply::empty()
    };
    reply.status = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::try_from(to) {
        reply.headers.push((LOCATION, location));
    }
    reply.into_response()
}

/// Tells a client that there is no room, then closes.
async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(stream: S, refusal: Refusal) {
    let text = match refusal {
        Refusal::TooManyFromSource => TOO_MANY_FROM_SOURCE,
        Refusal::TooManyInAll => TOO_MANY_IN_ALL,
    };
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    say(stream, answer.into_bytes()).await;
}

/// Sends the last words on a connection, if the client takes them at once.
async fn say<S: AsyncWrite + Unpin>(mut stream: S, answer: Vec<u8>) {
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    })
    .await;
}

/// Settings shared by all connections, replaced by a reload.
pub type SharedSettings = ArcSwap<HttpSettings>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_answer() {
        let handler = async {
            if std::hint::black_box(true) {
                panic!("broken");
            }
            Ok(Reply::empty())
        };
        let Err(failure) = unwinding(handler, "/v1/x").await else { panic!("no failure") };
        assert_eq!(failure.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(failure.text.starts_with("internal error"));
    }
}
