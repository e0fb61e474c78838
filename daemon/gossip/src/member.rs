//! One node of a pool: the protocol and the layer above it.

use std::net::SocketAddr;

use crate::delegate::Delegate;
use crate::swim::{JoinError, Output, StreamId, Swim};
use crate::time::Time;

/// Couples a [`Swim`] with its [`Delegate`]. Whoever drives it feeds inputs, takes outputs until there is none, and
/// calls [`Member::tick`] when [`Member::next_deadline`] has come. No input ever fails: what makes no sense is counted
/// in [`Swim::counters`].
#[derive(Debug)]
pub struct Member<D> {
    swim: Swim,
    delegate: D,
    /// When the delegate wants to be polled.
    poll_at: Option<Time>,
}

impl<D: Delegate> Member<D> {
    pub fn new(now: Time, swim: Swim, delegate: D) -> Self {
        let mut member = Self { swim, delegate, poll_at: None };
        member.settle(now);
        member
    }

    pub fn swim(&self) -> &Swim {
        &self.swim
    }

    pub fn delegate(&self) -> &D {
        &self.delegate
    }

    /// Acts on both parts, and sees to what follows from it.
    pub fn with<R>(&mut self, now: Time, act: impl FnOnce(&mut Swim, &mut D) -> R) -> R {
        let result = act(&mut self.swim, &mut self.delegate);
        self.settle(now);
        result
    }

    /// When [`Member::tick`] is to be called at the latest.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.swim.next_deadline(), self.poll_at].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        self.input(now, |swim, delegate| swim.tick(now, delegate));
    }

    /// A packet arrived.
    pub fn packet(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        self.input(now, |swim, delegate| swim.packet(now, delegate, from, bytes));
    }

    /// A packet could not be sent, for a reason on this side: no route, no buffer.
    pub fn packet_failed(&mut self, now: Time, to: SocketAddr) {
        self.input(now, |swim, _| swim.ping_not_sent(to));
    }

    /// Somebody opened a stream. `None`: there are too many, close it.
    pub fn stream_accepted(&mut self, now: Time, from: SocketAddr) -> Option<StreamId> {
        self.input(now, |swim, _| swim.stream_accepted(now, from))
    }

    /// A stream that was asked for is open.
    pub fn stream_connected(&mut self, now: Time, stream: StreamId) {
        self.input(now, |swim, delegate| swim.stream_connected(now, delegate, stream));
    }

    /// Bytes arrived by a stream, in order.
    pub fn stream_bytes(&mut self, now: Time, stream: StreamId, bytes: &[u8]) {
        self.input(now, |swim, delegate| swim.stream_bytes(now, delegate, stream, bytes));
    }

    /// The other side sends no more.
    pub fn stream_closed(&mut self, now: Time, stream: StreamId) {
        self.input(now, |swim, _| swim.stream_closed(stream));
    }

    /// A stream could not be opened, or broke.
    pub fn stream_failed(&mut self, now: Time, stream: StreamId, reason: String) {
        self.input(now, |swim, _| swim.stream_failed(stream, JoinError::Connect(reason)));
    }

    /// Next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.swim.poll_output()
    }

    fn input<R>(&mut self, now: Time, act: impl FnOnce(&mut Swim, &mut D) -> R) -> R {
        let result = act(&mut self.swim, &mut self.delegate);
        self.settle(now);
        result
    }

    fn settle(&mut self, now: Time) {
        self.swim.notify(now, &mut self.delegate);
        self.poll_at = self.delegate.poll(now, &mut self.swim);
        self.swim.notify(now, &mut self.delegate);
        self.swim.flush(now, &mut self.delegate);
    }
}
