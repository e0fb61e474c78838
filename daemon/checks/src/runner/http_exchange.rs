//! One HTTP/1.1 request over one connection: direct, through TLS, or through a proxy.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use flate2::write::GzDecoder;
use futures::TryFutureExt;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::http::{Hop, HttpError};
use crate::capture::TailBuffer;
use crate::dial::{dial, errno_text};
use crate::tls::{Alpn, TlsConfigs, TlsSettings};

/// Bytes of a body, before and after unpacking, that are looked at: an endless one must not keep us busy.
const BODY_READ_MAX: u64 = 10 * 1024 * 1024;

/// What HTTP checks share.
pub struct HttpEnv<'a> {
    pub tls: &'a TlsConfigs,
    pub proxies: &'a Matcher,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A stream to the server, ready for a request.
pub(super) struct Connection {
    io: Box<dyn Io>,
    /// Both ends of the TCP connection, for error texts.
    ends: Option<(SocketAddr, SocketAddr)>,
    form: TargetForm,
    /// Keeps the tunnel through a proxy moving.
    drivers: JoinSet<()>,
}

/// How the request line names its target.
enum TargetForm {
    Path,
    /// A plain-HTTP proxy wants the whole URL, and perhaps credentials.
    Whole(Option<HeaderValue>),
}

/// Status and headers of the answer; the body is still to be read.
pub(super) struct Answer {
    pub status: StatusCode,
    /// Code and the server's own words: `200 OK`.
    pub status_line: String,
    pub headers: HeaderMap,
    body: Incoming,
    unpack: bool,
    _drivers: JoinSet<()>,
}

impl Connection {
    pub async fn open(
        env: &HttpEnv<'_>,
        tls: &TlsSettings,
        uri: &Uri,
        deadline: Instant,
    ) -> Result<Self, HttpError> {
        let secure = uri.scheme_str() == Some("https");
        let host = bare_host(uri);
        let target = dial_target(uri, if secure { 443 } else { 80 });
        let proxy = if is_loopback(host) { None } else { env.proxies.intercept(uri) };
        let Some(proxy) = proxy else {
            let stream = dial(&target, deadline).await?;
            let ends = ends_of(&stream);
            let io: Box<dyn Io> = if secure {
                Box::new(env.tls.connect(tls, Alpn::Http1, host, stream, deadline).await?)
            } else {
                Box::new(stream)
            };
            return Ok(Self { io, ends, form: TargetForm::Path, drivers: JoinSet::new() });
        };
        let (stream, ends) = dial_proxy(env, &proxy, deadline).await?;
        if !secure {
            let form = TargetForm::Whole(proxy.basic_auth().cloned());
            return Ok(Self { io: stream, ends, form, drivers: JoinSet::new() });
        }
        let mut drivers = JoinSet::new();
        let tunnel = open_tunnel(stream, &target, &proxy, &mut drivers).await?;
        let io = Box::new(env.tls.connect(tls, Alpn::Http1, host, tunnel, deadline).await?);
        Ok(Self { io, ends, form: TargetForm::Path, drivers })
    }
}

async fn dial_proxy(
    env: &HttpEnv<'_>,
    proxy: &Intercept,
    deadline: Instant,
) -> Result<(Box<dyn Io>, Option<(SocketAddr, SocketAddr)>), HttpError> {
    let uri = proxy.uri();
    let failed = |error: String| HttpError::Proxy(error);
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        other => return Err(failed(format!("unsupported proxy scheme {:?}", other.unwrap_or_default()))),
    };
    let stream = dial(&dial_target(uri, if secure { 443 } else { 80 }), deadline)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let ends = ends_of(&stream);
    if !secure {
        return Ok((Box::new(stream), ends));
    }
    let settings = TlsSettings::default();
    let stream = env
        .tls
        .connect(&settings, Alpn::Http1, bare_host(uri), stream, deadline)
        .await
        .map_err(|error| failed(error.to_string()))?;
    Ok((Box::new(stream), ends))
}

/// Asks a proxy for a tunnel to `target`.
async fn open_tunnel(
    stream: Box<dyn Io>,
    target: &str,
    proxy: &Intercept,
    drivers: &mut JoinSet<()>,
) -> Result<impl Io + use<>, HttpError> {
    let failed = |error: hyper::Error| HttpError::Proxy(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    drivers.spawn(connection.with_upgrades().unwrap_or_else(|_| ()));
    let mut request = Request::connect(target).header(header::HOST, target);
    if let Some(credentials) = proxy.basic_auth() {
        request = request.header(header::PROXY_AUTHORIZATION, credentials);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| HttpError::Proxy(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(HttpError::Proxy(response.status().to_string()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(failed)?;
    Ok(TokioIo::new(upgraded))
}

/// Sends the request and waits for the head of the answer.
pub(super) async fn send(connection: Connection, hop: &Hop) -> Result<Answer, HttpError> {
    let Connection { io, ends, form, mut drivers } = connection;
    let request = build_request(hop, &form)?;
    let asked_for_gzip = hop.headers.get(header::ACCEPT_ENCODING).is_some_and(|value| value == "gzip");
    let failed = |error: hyper::Error| transport_error(&error, ends);
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .handshake::<_, Full<Bytes>>(TokioIo::new(io))
        .await
        .map_err(failed)?;
    drivers.spawn(connection.unwrap_or_else(|_| ()));
    let response = sender.send_request(request).await.map_err(failed)?;
    let status_line = status_line(&response);
    let (head, body) = response.into_parts();
    let unpack =
        asked_for_gzip && head.headers.get(header::CONTENT_ENCODING).is_some_and(|value| value == "gzip");
    Ok(Answer { status: head.status, status_line, headers: head.headers, body, unpack, _drivers: drivers })
}

fn build_request(hop: &Hop, form: &TargetForm) -> Result<Request<Full<Bytes>>, HttpError> {
    let broken = |error: http::Error| HttpError::Transport(error.to_string());
    let authority = hop.uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = hop.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut builder = Request::builder().method(hop.method.clone()).version(Version::HTTP_11);
    builder = match form {
        TargetForm::Path => builder.uri(path),
        TargetForm::Whole(_) => {
            builder.uri(format!("{}://{host}{path}", hop.uri.scheme_str().unwrap_or("http")))
        }
    };
    let mut request = builder.body(Full::new(hop.body.clone())).map_err(broken)?;
    // The host goes first, as clients and some servers' logs expect.
    let own_host = HeaderValue::from_str(host).map_err(|error| broken(error.into()))?;
    let host = hop.headers.get(header::HOST).cloned().unwrap_or(own_host);
    request.headers_mut().insert(header::HOST, host);
    for (name, value) in &hop.headers {
        if name != header::HOST {
            request.headers_mut().append(name, value.clone());
        }
    }
    if let TargetForm::Whole(Some(credentials)) = form {
        request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials.clone());
    }
    Ok(request)
}

/// The reason phrase is the server's own, which may be none.
fn status_line(response: &http::Response<Incoming>) -> String {
    let code = response.status().as_u16();
    match response.extensions().get::<hyper::ext::ReasonPhrase>() {
        Some(reason) => format!("{code} {}", String::from_utf8_lossy(reason.as_bytes())),
        None => format!("{code} {}", response.status().canonical_reason().unwrap_or_default()),
    }
}

impl Answer {
    /// Reads the body into `tail` until it ends, breaks, is too long, or time is up: what came until then is shown.
    pub async fn read_body(&mut self, tail: &mut TailBuffer, deadline: Instant) {
        let mut sink =
            if self.unpack { Sink::Gzip(Box::new(GzDecoder::new(tail))) } else { Sink::Plain(tail) };
        let mut received = 0;
        while let Ok(Some(Ok(frame))) = timeout_at(deadline, self.body.frame()).await {
            let Ok(data) = frame.into_data() else { continue };
            received += data.len() as u64;
            if sink.write(&data).is_err() || received.max(sink.total()) > BODY_READ_MAX {
                break;
            }
        }
        sink.finish();
    }
}

/// Where body bytes go on their way to the output.
enum Sink<'a> {
    Plain(&'a mut TailBuffer),
    Gzip(Box<GzDecoder<&'a mut TailBuffer>>),
}

impl Sink<'_> {
    fn write(&mut self, data: &[u8]) -> Result<(), std::io::Error> {
        match self {
            Self::Plain(tail) => tail.push(data),
            Self::Gzip(decoder) => decoder.write_all(data)?,
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        match self {
            Self::Plain(tail) => tail.total(),
            Self::Gzip(decoder) => decoder.get_ref().total(),
        }
    }

    fn finish(&mut self) {
        if let Self::Gzip(decoder) = self {
            // A truncated stream is no reason to hide what was unpacked of it.
            let _ = decoder.try_finish();
        }
    }
}

fn transport_error(error: &hyper::Error, ends: Option<(SocketAddr, SocketAddr)>) -> HttpError {
    if error.is_incomplete_message() {
        return HttpError::Eof;
    }
    if error.is_parse() {
        return HttpError::Malformed;
    }
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match (source, ends) {
        (Some(io), Some((local, remote))) if io.raw_os_error().is_some() => {
            HttpError::Transport(format!("read tcp {local}->{remote}: read: {}", errno_text(io)))
        }
        (Some(io), _) => HttpError::Transport(errno_text(io)),
        (None, _) => HttpError::Transport(error.to_string()),
    }
}

fn ends_of(stream: &TcpStream) -> Option<(SocketAddr, SocketAddr)> {
    Some((stream.local_addr().ok()?, stream.peer_addr().ok()?))
}

/// The host without the brackets of an IPv6 address.
fn bare_host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
}

fn dial_target(uri: &Uri, default_port: u16) -> String {
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    let host = uri.host().unwrap_or_default();
    match host_port.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
        Some(port) if !port.is_empty() => format!("{host}:{port}"),
        _ => format!("{host}:{default_port}"),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
