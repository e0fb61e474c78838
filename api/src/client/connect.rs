//! Opens plain TCP and Unix connections for the HTTP stack.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;

use super::address::Address;
use super::error::os_words;

/// Connects to one agent, whatever the request's URL says.
#[derive(Clone)]
pub(super) struct Connector {
    pub address: Address,
    pub timeout: Duration,
    pub keep_alive: Option<Duration>,
}

/// No connection, in the words that Go's dialer uses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct DialError(String);

impl Connector {
    async fn connect(self) -> Result<Stream, DialError> {
        match &self.address {
            Address::Unix(path) => {
                let place = format!("dial unix {}", path.display());
                self.within(&place, UnixStream::connect(path)).await.map(Stream::Unix)
            }
            Address::Http(authority) | Address::Https(authority) => {
                let (host, port) = (authority.host.as_str(), authority.port);
                let place = match host.contains(':') {
                    true => format!("dial tcp [{host}]:{port}"),
                    false => format!("dial tcp {host}:{port}"),
                };
                let found = tokio::net::lookup_host((host, port)).await.map(Iterator::collect::<Vec<_>>);
                let Some(found) = found.ok().filter(|found| !found.is_empty()) else {
                    return Err(DialError(format!("dial tcp: lookup {host}: no such host")));
                };
                let stream = self.within(&place, TcpStream::connect(&found[..])).await?;
                // Requests are single small packets: waiting to fill one only adds latency.
                let _ = stream.set_nodelay(true);
                if let Some(pause) = self.keep_alive {
                    let probes = TcpKeepalive::new().with_time(pause).with_interval(pause);
                    // Only how soon a vanished peer is noticed depends on it.
                    let _ = SockRef::from(&stream).set_tcp_keepalive(&probes);
                }
                Ok(Stream::Tcp(stream))
            }
        }
    }

    async fn within<T>(
        &self,
        place: &str,
        connecting: impl Future<Output = io::Result<T>>,
    ) -> Result<T, DialError> {
        match tokio::time::timeout(self.timeout, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(DialError(format!("{place}: connect: {}", os_words(&error)))),
            Err(_) => Err(DialError(format!("{place}: i/o timeout"))),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect().await.map(TokioIo::new) })
    }
}

/// A connection of either kind.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

macro_rules! either {
    ($self:ident, $method:ident ( $($arg:expr),* )) => {
        match $self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($arg),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($arg),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown(cx))
    }
}
