//! What is due when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::output::StreamId;
use crate::time::Time;

/// What a timer was armed for. One that comes late names something that is over, and is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Probe,
    Gossip,
    PushPull,
    /// The direct ping of this number was not answered in time.
    ProbeTimeout(u32),
    /// The probe of this number is over.
    ProbeDeadline(u32),
    /// A ping made for somebody else, under this number, was not answered in time.
    Relay(u32),
    /// A suspicion, by its number, may have run out.
    Suspicion(Arc<str>, u64),
    /// The time for a stream is up.
    Stream(StreamId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<(Time, u64), Timer>,
    next: u64,
}

impl Timers {
    pub fn arm(&mut self, at: Time, timer: Timer) {
        self.due.insert((at, self.next), timer);
        self.next += 1;
    }

    pub fn next_deadline(&self) -> Option<Time> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// The earliest timer, if it is due.
    pub fn pop_due(&mut self, now: Time) -> Option<Timer> {
        if self.next_deadline()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }

    /// Puts off everything by `pause`: nothing could be received meanwhile.
    pub fn delay_all(&mut self, pause: Duration) {
        self.due =
            std::mem::take(&mut self.due).into_iter().map(|((at, n), t)| ((at + pause, n), t)).collect();
    }
}
