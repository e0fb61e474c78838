//! Lamport clocks: the order in which a pool heard of things.
//!
//! Wall clocks of members disagree; what counts is only whether an intent, event or query was sent before or after
//! another one. Each kind has a clock of its own. A message carries the sender's time, and whoever hears it moves on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point on a [`LamportClock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LamportTime(pub u64);

impl LamportTime {
    /// The highest time a message may claim. Above it a single hostile message could push every clock of the pool
    /// to its end, after which nothing new would ever be newer; no honest pool comes near.
    pub const MAX_CREDIBLE: Self = Self(u64::MAX / 2);

    /// Whether a message may claim this time.
    pub fn is_credible(self) -> bool {
        self <= Self::MAX_CREDIBLE
    }

    /// The time after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for LamportTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A clock that only moves forward. Its value is the time of the next message sent.
#[derive(Clone, Debug)]
pub struct LamportClock(LamportTime);

impl Default for LamportClock {
    /// One, because a recorded time of zero means "nothing heard yet".
    fn default() -> Self {
        Self(LamportTime(1))
    }
}

impl LamportClock {
    /// The time the next message gets.
    pub fn time(&self) -> LamportTime {
        self.0
    }

    /// Takes the current time for a message and moves on.
    pub fn take(&mut self) -> LamportTime {
        let now = self.0;
        self.0 = now.next();
        now
    }

    /// Moves past a time that somebody else used.
    pub fn witness(&mut self, seen: LamportTime) {
        if seen.is_credible() && seen >= self.0 {
            self.0 = seen.next();
        }
    }

    /// Takes over a peer's clock. A clock shows the *next* time, so nobody has used its value yet.
    pub fn witness_clock(&mut self, peer: LamportTime) {
        if let Some(last_used) = peer.0.checked_sub(1) {
            self.witness(LamportTime(last_used));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_the_time_and_leaves_the_next() {
        let mut clock = LamportClock::default();
        assert_eq!(clock.take(), LamportTime(1));
        assert_eq!(clock.time(), LamportTime(2));
    }

    #[test]
    fn hearing_moves_past_what_was_heard_and_never_back() {
        let mut clock = LamportClock::default();
        clock.witness(LamportTime(41));
        assert_eq!(clock.time(), LamportTime(42));
        clock.witness(LamportTime(7));
        assert_eq!(clock.time(), LamportTime(42));
        clock.witness_clock(LamportTime(50));
        assert_eq!(clock.time(), LamportTime(50));
        clock.witness_clock(LamportTime(0));
        assert_eq!(clock.time(), LamportTime(50));
    }

    #[test]
    fn an_incredible_time_does_not_run_the_clock_out() {
        let mut clock = LamportClock::default();
        clock.witness(LamportTime(u64::MAX));
        assert_eq!(clock.time(), LamportTime(1));
    }
}
