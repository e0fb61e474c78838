//! One node of a pool: the protocol and the layer above it.

use crate::delegate::Delegate;
use crate::swim::{Output, Swim};
use crate::time::Time;

/// Couples a [`Swim`] with its [`Delegate`]. Whoever drives it feeds inputs, takes outputs until there is none, and
/// calls [`Member::tick`] when [`Member::next_deadline`] has come.
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
        self.swim.tick(now, &mut self.delegate);
        self.settle(now);
    }

    /// Next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.swim.poll_output()
    }

    fn settle(&mut self, now: Time) {
        self.swim.notify(now, &mut self.delegate);
        self.poll_at = self.delegate.poll(now, &mut self.swim);
        self.swim.notify(now, &mut self.delegate);
    }
}
