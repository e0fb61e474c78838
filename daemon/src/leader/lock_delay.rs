//! Keys that cannot be locked for a while, because a session that held them was invalidated.
//!
//! The delay gives the old holder time to notice. It is no part of the state, but every server that applies the end of
//! a session begins it, so that it outlives the leader. Only a server that was not there at that moment does not know
//! of it, or begins it late: when it reads the end of the session from its log.

use std::time::{Duration, Instant};

use consul_api::types::bytes::Key;
use parking_lot::Mutex;

use super::deadlines::Deadlines;

#[derive(Debug, Default)]
pub struct LockDelays(Mutex<Deadlines<Key>>);

impl LockDelays {
    /// Starts the delay of `key`, unless a longer one runs.
    pub fn start(&self, key: Key, delay: Duration, now: Instant) {
        if delay.is_zero() {
            return;
        }
        let mut deadlines = self.0.lock();
        deadlines.take_due(now);
        let until = now + delay;
        if deadlines.get(&key).is_none_or(|running| running < until) {
            deadlines.arm(key, until);
        }
    }

    /// Must a lock on `key` wait?
    pub fn is_delayed(&self, key: &Key, now: Instant) -> bool {
        self.0.lock().get(key).is_some_and(|until| until > now)
    }

    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_runs_out_and_a_shorter_one_does_not_cut_it() {
        let delays = LockDelays::default();
        let start = Instant::now();
        let key = Key::from("a");
        delays.start(key.clone(), Duration::from_secs(15), start);
        delays.start(key.clone(), Duration::from_secs(1), start);
        assert!(delays.is_delayed(&key, start + Duration::from_secs(14)));
        assert!(!delays.is_delayed(&key, start + Duration::from_secs(15)));
        assert!(!delays.is_delayed(&Key::from("b"), start));
    }
}
