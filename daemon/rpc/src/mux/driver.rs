//! The task that moves a connection's bytes.

use std::future::poll_fn;
use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval_at};

use super::Config;
use super::session::{Mux, Session};
use super::state::{GoAway, ProtocolError, Side};
use super::stream::Stream;
use crate::counters::Counters;

/// Bytes of one read. They lie on the stack while they are looked at, so that an idle connection has no buffer.
const READ_LEN: usize = 32 * 1024;
/// Reads before other tasks get their turn.
const READS_PER_POLL: usize = 8;
/// Output of this size is sent at once; with less, tasks that were just woken get the chance to add to it.
const SEND_AT_ONCE: usize = 32 * 1024;
/// A buffer no larger than this is kept for the next output.
const KEEP_BUFFER: usize = 4 * 1024;
/// Writers that are told of room at a time: the rest would find it taken.
const WRITERS_WOKEN: usize = 64;

/// Why a connection ended.
#[derive(Debug, Error)]
pub enum Closed {
    /// The peer closed it.
    #[error("EOF")]
    ByPeer,
    /// It was closed here.
    #[error("session shutdown")]
    ByUs,
    /// The network failed.
    #[error("connection failed")]
    Io(#[from] io::Error),
    /// The peer broke the rules.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The peer took nothing for too long.
    #[error("connection write timeout")]
    Stalled,
    /// The peer did not answer a ping.
    #[error("keepalive timeout")]
    Unanswered,
}

/// Moves a connection's bytes while [`Driver::run`] is polled. When it ends, or is dropped, all streams end.
#[derive(Debug)]
pub struct Driver<T> {
    io: T,
    session: Arc<Session>,
    counters: Arc<Counters>,
    /// Being written. Frames never change once they are here.
    writing: BytesMut,
    /// The output has waited one turn for more to come.
    waited: bool,
    tick: Interval,
    ticks_per_ping: u32,
    ticks: u32,
    wrote: bool,
    read: bool,
}

/// The side that opens streams.
pub fn client<T: AsyncRead + AsyncWrite + Unpin>(io: T, config: Config) -> (Mux, Driver<T>) {
    pair(io, Side::Client, config)
}

/// The side that accepts them.
pub fn server<T: AsyncRead + AsyncWrite + Unpin>(io: T, config: Config) -> (Mux, Driver<T>) {
    pair(io, Side::Server, config)
}

fn pair<T: AsyncRead + AsyncWrite + Unpin>(io: T, side: Side, config: Config) -> (Mux, Driver<T>) {
    let period = config.stall_max.max(std::time::Duration::from_millis(1));
    let mut tick = interval_at(tokio::time::Instant::now() + period, period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ticks_per_ping = config.keepalive.as_millis() / period.as_millis();
    let ticks_per_ping = u32::try_from(ticks_per_ping).unwrap_or(u32::MAX).max(1);
    let counters = Arc::clone(&config.counters);
    let session = Session::new(side, config);
    let mux = Mux { session: Arc::clone(&session) };
    let writing = BytesMut::new();
    let driver = Driver {
        io,
        session,
        counters,
        writing,
        waited: false,
        tick,
        ticks_per_ping,
        ticks: 0,
        wrote: false,
        read: false,
    };
    (mux, driver)
}

impl<T: AsyncRead + AsyncWrite + Unpin> Driver<T> {
    /// Moves bytes until the connection ends. `accept` gets the streams that the peer opens.
    pub async fn run(mut self, mut accept: impl FnMut(Stream)) -> Closed {
        let reason = poll_fn(|cx| self.poll(cx, &mut accept)).await;
        if let Closed::Protocol(_) = reason {
            Counters::one(&self.counters.protocol_errors);
            self.session.with(|state| state.go_away(GoAway::ProtocolError));
            // One attempt: a peer that breaks the rules is not waited for.
            poll_fn(|cx| Poll::Ready(self.poll_send(cx))).await.is_ready();
        }
        reason
    }

    fn poll(&mut self, cx: &mut Context<'_>, accept: &mut impl FnMut(Stream)) -> Poll<Closed> {
        self.session.driver.register(cx.waker());
        while self.tick.poll_tick(cx).is_ready() {
            if let Some(reason) = self.on_tick() {
                return Poll::Ready(reason);
            }
        }
        let mut reads = 0;
        loop {
            match self.poll_feed(cx, accept) {
                Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                Poll::Ready(Ok(())) => reads += 1,
                Poll::Pending => break,
            }
            if reads == READS_PER_POLL {
                cx.waker().wake_by_ref();
                break;
            }
        }
        if self.session.with(|state| state.dead) {
            return Poll::Ready(Closed::ByUs);
        }
        if self.may_wait_for_more() {
            self.waited = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.waited = false;
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(error.into()),
            _ => Poll::Pending,
        }
    }

    /// Whether a little output may wait for one turn of the other tasks. Sending each message in a write of its own
    /// is what costs most when there are many.
    fn may_wait_for_more(&self) -> bool {
        let pending = self.session.with(|state| state.out.len());
        !self.waited && self.writing.is_empty() && pending > 0 && pending < SEND_AT_ONCE
    }

    fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        accept: &mut impl FnMut(Stream),
    ) -> Poll<Result<(), Closed>> {
        let mut space = [MaybeUninit::uninit(); READ_LEN];
        let mut buf = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf)).map_err(Closed::Io)?;
        let bytes = buf.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(Closed::ByPeer));
        }
        self.read = true;
        Counters::add(&self.counters.bytes_read, bytes.len());
        let accepted = self.session.with(|state| {
            let fed = state.feed(bytes);
            fed.map(|()| mem::take(&mut state.accepted))
        });
        for id in accepted.map_err(Closed::Protocol)? {
            accept(Stream::new(Arc::clone(&self.session), id));
        }
        Poll::Ready(Ok(()))
    }

    /// Sends until everything is sent or the network takes no more.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.writing.is_empty() {
                self.take_output(cx);
            }
            if self.writing.is_empty() {
                return Pin::new(&mut self.io).poll_flush(cx);
            }
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.writing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wrote = true;
            Counters::add(&self.counters.bytes_written, written);
            self.writing.advance(written);
        }
    }

    fn take_output(&mut self, cx: &Context<'_>) {
        let mut spare = mem::take(&mut self.writing);
        if !spare.try_reclaim(1) || spare.capacity() > KEEP_BUFFER {
            spare = BytesMut::new();
        }
        let (output, writers) = self.session.with(|state| {
            let output = mem::replace(&mut state.out, spare);
            let woken = state.out_waiters.len().min(WRITERS_WOKEN);
            (output, state.out_waiters.drain(..woken).collect::<Vec<_>>())
        });
        self.writing = output;
        if !writers.is_empty() {
            // Some of those who waited may be gone by now; the next in line get their chance in the next turn.
            cx.waker().wake_by_ref();
            writers.into_iter().for_each(std::task::Waker::wake);
        }
    }

    fn on_tick(&mut self) -> Option<Closed> {
        let has_output = !self.writing.is_empty() || self.session.with(|state| !state.out.is_empty());
        let (wrote, read) = (mem::take(&mut self.wrote), mem::take(&mut self.read));
        if has_output && !wrote {
            return Some(Closed::Stalled);
        }
        if !read && self.session.with(|state| state.ping_unanswered()) {
            return Some(Closed::Unanswered);
        }
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(self.ticks_per_ping) {
            self.session.with(|state| state.ping());
        }
        None
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.session.with(|state| state.die());
    }
}
