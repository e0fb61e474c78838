//! Words for requests that never reach a handler.
//!
//! What cannot be parsed is answered by hyper itself, with a status and nothing else. The stream below recognises
//! such an answer, since no request is under way when it comes, and sends one with a text in its place.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Version};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::Body;

/// For a client that begins with the preface of HTTP/2.
pub const UNSUPPORTED_VERSION: &str = "400 Bad Request: unsupported protocol version";

/// No request is under way: what is written now is not ours.
const IDLE: u8 = 0;
const ANSWERING: u8 = 1;
/// The answer was handed over whole but may not be on its way yet.
const ANSWERED: u8 = 2;

/// How far the request of one connection is. There is one at a time.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<AtomicU8>);

impl Exchange {
    /// A request was read; its answer comes from us.
    pub fn begin(&self) {
        self.0.store(ANSWERING, Ordering::Relaxed);
    }

    fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IDLE
    }

    /// All that was written so far is on its way.
    fn flushed(&self) {
        // Fails while an answer is still being made.
        let _ = self.0.compare_exchange(ANSWERED, IDLE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Why the Host header of a request is unacceptable.
pub fn host_problem(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return (version == Version::HTTP_11).then_some("400 Bad Request: missing required Host header");
    };
    if hosts.next().is_some() {
        return Some("400 Bad Request: too many Host headers");
    }
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=@[]_~".contains(byte);
    (!host.as_bytes().iter().all(is_host)).then_some("400 Bad Request: malformed Host header")
}

/// An answer that is the last on its connection.
pub fn text(reason: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {reason}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{reason}"
    )
    .into_bytes()
}

/// The body of our own answer; its end is noted.
pub struct Answer {
    body: Body,
    exchange: Exchange,
}

impl Answer {
    pub fn new(body: Body, exchange: Exchange) -> Self {
        Self { body, exchange }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.exchange.0.store(ANSWERED, Ordering::Relaxed);
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client's stream.
pub struct Spoken<S> {
    stream: S,
    exchange: Exchange,
    /// What is still to be sent in place of hyper's answer.
    instead: Vec<u8>,
}

impl<S> Spoken<S> {
    pub fn new(stream: S, exchange: Exchange) -> Self {
        Self { stream, exchange, instead: Vec::new() }
    }

    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncWrite + Unpin> Spoken<S> {
    /// Takes over an answer that is not ours. `None` if it is ours.
    fn replace(&mut self, written: &[u8]) -> Option<usize> {
        if !self.exchange.is_idle() || !self.instead.is_empty() {
            return None;
        }
        let reason = match written.strip_prefix(b"HTTP/1.1 ")?.get(..3)? {
            b"400" => "400 Bad Request",
            // Too long a request line is no other case than too long a header.
            b"414" | b"431" => "431 Request Header Fields Too Large",
            _ => return None,
        };
        self.instead = text(reason);
        Some(written.len())
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.instead.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.instead))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spoken<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spoken<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.replace(bytes) {
            Some(count) => Poll::Ready(Ok(count)),
            None => Pin::new(&mut this.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match slices.first().and_then(|first| this.replace(first)) {
            Some(count) => Poll::Ready(Ok(count)),
            None => Pin::new(&mut this.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.exchange.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_instead(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}
