//! One stream of calls, from its first request to its end. Strictly one after the other, as callers expect.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, timeout};

use super::{CallError, Channel, Peer, Server};
use crate::codec::{CodecError, EMPTY_BODY, MessageReader, Request, response_head};
use crate::counters::Counters;
use crate::io::Io;
use crate::mux;
use crate::patience::now_or_within;

/// The methods that a peer without credentials may call, to get some.
const INSECURE_METHODS: [&str; 2] = ["AutoEncrypt.Sign", "AutoConfig.InitialConfiguration"];
/// Newer peers try another server when they read this.
const OVERLOADED: &str = "rate limit exceeded, try again later or against a different server";
/// How much of what follows a request is read ahead while it is worked on. Without reading, nobody would notice that
/// the peer is gone.
const READ_AHEAD: usize = 4 * 1024;
/// On a connection without streams, a peer that only ended its side looks like one that is gone. An ordinary call is
/// answered within this time.
const HALF_CLOSED_MAX: Duration = Duration::from_secs(1);

/// A stream that can tell when its peer left.
pub(super) trait CallStream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Ready once nobody waits for an answer any more.
    fn poll_gone(&mut self, reader: &mut MessageReader, cx: &mut Context<'_>) -> Poll<()>;
}

impl CallStream for mux::Stream {
    fn poll_gone(&mut self, _: &mut MessageReader, cx: &mut Context<'_>) -> Poll<()> {
        mux::Stream::poll_gone(self, cx)
    }
}

/// A whole connection as one stream.
pub(super) struct Single {
    io: Box<dyn Io>,
    half_closed: Option<Pin<Box<Sleep>>>,
}

impl Single {
    pub fn new(io: Box<dyn Io>) -> Self {
        Self { io, half_closed: None }
    }
}

impl CallStream for Single {
    fn poll_gone(&mut self, reader: &mut MessageReader, cx: &mut Context<'_>) -> Poll<()> {
        if self.half_closed.is_none() {
            match reader.poll_end(&mut self.io, READ_AHEAD, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
        }
        let wait = || Box::pin(tokio::time::sleep(HALF_CLOSED_MAX));
        self.half_closed.get_or_insert_with(wait).as_mut().poll(cx)
    }
}

impl AsyncRead for Single {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Single {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Whether a call is within the limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admitted {
    Yes,
    No,
}

/// Whether more requests are read from a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    GoOn,
    Close,
}

impl Server {
    /// Answers the calls of one stream until it ends.
    pub(super) async fn serve_calls(&self, peer: &Peer, mut stream: impl CallStream) {
        let mut reader = MessageReader::with_budget(self.budget.clone());
        loop {
            let request = match self.next_request(&mut reader, &mut stream).await {
                Ok(Some(request)) => request,
                Ok(None) => break,
                Err(error) => {
                    if !matches!(error, CodecError::Io(_) | CodecError::Truncated) {
                        Counters::one(&self.counters.protocol_errors);
                    }
                    break;
                }
            };
            Counters::one(&self.counters.calls);
            let Request { header, body } = request;
            // Held until the answer is on its way: whoever waits for all calls to end means that.
            let permit = self.admission.call();
            let admitted = if permit.is_some() { Admitted::Yes } else { Admitted::No };
            let call = self.answer(peer, &header.service_method, body, admitted);
            let Some(answer) = unless_gone(call, &mut stream, &mut reader).await else {
                Counters::one(&self.counters.calls_abandoned);
                return;
            };
            let (error, body, after) = self.outcome(answer, &header.service_method);
            let head = response_head(&header.service_method, header.seq, &error, 0);
            let sent = send(&mut stream, &head, &body, self.limits.stall_max).await;
            if sent.is_err() || after == After::Close {
                break;
            }
        }
        // Ends our side, so that the peer need not guess. Whether it still listens does not matter.
        let _ = timeout(self.limits.stall_max, stream.shutdown()).await;
    }

    /// Waits for a request as long as the peer likes, but not for the rest of one.
    async fn next_request(
        &self,
        reader: &mut MessageReader,
        stream: &mut impl CallStream,
    ) -> Result<Option<Request>, CodecError> {
        if !reader.has_bytes() && !reader.fill(stream).await? {
            return Ok(None);
        }
        let request = reader.read_request(stream, self.limits.request);
        match now_or_within(request, self.limits.request_max).await {
            Some(request) => request,
            None => Err(CodecError::Truncated),
        }
    }

    async fn answer(
        &self,
        peer: &Peer,
        method: &str,
        body: Bytes,
        admitted: Admitted,
    ) -> Result<Bytes, CallError> {
        if admitted == Admitted::No {
            Counters::one(&self.counters.calls_refused);
            return Err(CallError::Failed(OVERLOADED.to_owned()));
        }
        if !method.contains('.') {
            return Err(CallError::Malformed(format!("rpc: service/method request ill-formed: {method}")));
        }
        if peer.channel == Channel::Insecure && !INSECURE_METHODS.contains(&method) {
            return Err(CallError::UnknownService);
        }
        self.handler.call(peer, method, body).await
    }

    /// What the caller reads, and whether the stream goes on.
    fn outcome(&self, answer: Result<Bytes, CallError>, method: &str) -> (String, Bytes, After) {
        let (text, after) = match answer {
            Ok(body) => return (String::new(), body, After::GoOn),
            Err(CallError::Failed(text)) => (text, After::GoOn),
            Err(CallError::Malformed(text)) => (text, After::Close),
            Err(CallError::UnknownService) => (format!("rpc: can't find service {method}"), After::Close),
            Err(CallError::UnknownMethod) => (format!("rpc: can't find method {method}"), After::Close),
        };
        Counters::one(&self.counters.calls_failed);
        (text, Bytes::from_static(EMPTY_BODY), after)
    }
}

/// Runs `call` to its end, or drops it when the peer leaves.
async fn unless_gone<F: Future>(
    call: F,
    stream: &mut impl CallStream,
    reader: &mut MessageReader,
) -> Option<F::Output> {
    let mut call = pin!(call);
    poll_fn(|cx| {
        if let Poll::Ready(output) = call.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        stream.poll_gone(reader, cx).map(|()| None)
    })
    .await
}

/// Writes a message. A peer that takes nothing for `stall_max` is given up.
async fn send(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    body: &[u8],
    stall_max: Duration,
) -> io::Result<()> {
    let mut message = head.chain(body);
    while message.has_remaining() {
        let writing = stream.write_buf(&mut message);
        match now_or_within(writing, stall_max).await {
            Some(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error),
            None => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    stream.flush().await
}
