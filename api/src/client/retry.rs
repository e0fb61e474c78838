//! When to try again.

use std::time::Duration;

/// Waits that double up to a limit, each shortened at random so that many clients do not return in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    limit: Duration,
    failures: u32,
}

impl Backoff {
    /// The first wait is at most `first`, none is longer than `limit`.
    pub fn new(first: Duration, limit: Duration) -> Self {
        Self { first, limit, failures: 0 }
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts a failure; how long to wait before the next attempt.
    pub fn failed(&mut self) -> Duration {
        let longest = self.longest();
        self.failures = self.failures.saturating_add(1);
        longest.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// The next failure is a first one again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The next wait without the random part.
    fn longest(&self) -> Duration {
        let factor = 1u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.limit)
    }
}

impl Default for Backoff {
    /// From half a second to a minute.
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        for expected in [1, 2, 4, 8, 10, 10] {
            let longest = Duration::from_secs(expected);
            let wait = backoff.failed();
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} after {expected}");
        }
        backoff.succeeded();
        assert!(backoff.failed() <= Duration::from_secs(1));
    }

    #[test]
    fn endless_failure_does_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        backoff.failures = u32::MAX;
        assert!(backoff.failed() <= Duration::from_secs(10));
        assert_eq!(backoff.failures(), u32::MAX);
    }
}
