//! One stream, as its user sees it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::session::Session;
use super::state::State;

/// What may wait in a connection's output buffer before writers wait instead. More would only delay the small
/// messages behind it.
const OUT_ROOM: usize = 256 * 1024;
/// Data of one frame: large ones would keep other streams waiting.
const FRAME_MAX: usize = 64 * 1024;

/// One stream of a connection. Dropped before both sides ended it, it is reset, so that the peer stops working on
/// what nobody waits for.
#[derive(Debug)]
pub struct Stream {
    session: Arc<Session>,
    id: u32,
}

impl Stream {
    pub(super) fn new(session: Arc<Session>, id: u32) -> Self {
        Self { session, id }
    }

    /// Its number within the connection.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Ready once the peer ended or reset the stream, or the connection is gone. Data may still be unread.
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.with(|state| match state.streams.get_mut(&self.id) {
            Some(slot) if !slot.remote_closed => {
                set_waker(&mut slot.reader, cx);
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
    }

    /// Whether the stream is open both ways and nothing unasked for has arrived.
    pub fn is_quiet(&self) -> bool {
        self.session.with(|state| {
            let open = !state.dead;
            let slot = state.streams.get(&self.id);
            open && slot
                .is_some_and(|slot| !slot.remote_closed && !slot.local_closed && slot.received.is_empty())
        })
    }

    /// Ends our side; what was written still arrives.
    pub fn finish(&mut self) {
        self.session.with(|state| state.finish(self.id));
    }

    fn poll_write_parts(&self, cx: &mut Context<'_>, parts: &[&[u8]]) -> Poll<io::Result<usize>> {
        if parts.iter().all(|part| part.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.session.with(|state| {
            let room = OUT_ROOM.saturating_sub(state.out.len());
            let Some(slot) = state.streams.get_mut(&self.id).filter(|slot| !slot.local_closed) else {
                return Poll::Ready(Err(closed(state)));
            };
            if slot.send_window == 0 {
                set_waker(&mut slot.writer, cx);
                return Poll::Pending;
            }
            if room == 0 {
                state.out_waiters.push_back(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Ok(state.write(self.id, parts, room.min(FRAME_MAX))))
        })
    }
}

fn closed(state: &State) -> io::Error {
    let text = if state.dead { "session shutdown" } else { "stream closed" };
    io::Error::new(io::ErrorKind::BrokenPipe, text)
}

fn set_waker(place: &mut Option<std::task::Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.session.with(|state| {
            let Some(slot) = state.streams.get_mut(&self.id) else { return Poll::Ready(Ok(())) };
            let len = slot.received.len().min(buf.remaining());
            if let Some(data) = slot.received.get(..len).filter(|data| !data.is_empty()) {
                buf.put_slice(data);
                slot.received.advance(len);
                state.consume(self.id, len);
                return Poll::Ready(Ok(()));
            }
            if slot.reset {
                let text = if state.dead { "session shutdown" } else { "stream reset" };
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, text)));
            }
            if slot.remote_closed || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            set_waker(&mut slot.reader, cx);
            Poll::Pending
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_parts(cx, &[buf])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A message is a header and a body: more parts than these do not occur and would come in further writes.
        let part = |at: usize| bufs.get(at).map_or(&[][..], |buf| buf);
        self.poll_write_parts(cx, &[part(0), part(1)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The driver sends what was written as soon as it runs.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.session.with(|state| state.release(self.id));
    }
}
