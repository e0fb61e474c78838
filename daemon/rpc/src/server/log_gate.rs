//! Keeps a peer from filling the log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Refusals come in crowds: one line stands for all of this time.
const PERIOD: Duration = Duration::from_secs(5);

/// Lets one line pass in each period.
#[derive(Debug, Default)]
pub(super) struct LogGate {
    last: Mutex<Option<Instant>>,
    missed: AtomicU64,
}

impl LogGate {
    /// How many lines were left out since the last one, if this one is due.
    pub fn pass(&self) -> Option<u64> {
        let now = Instant::now();
        let mut last = self.last.lock();
        if last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.missed.swap(0, Ordering::Relaxed))
    }
}
