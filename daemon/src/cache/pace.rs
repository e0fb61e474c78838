//! How often something may be done: a bucket of tokens.

use std::time::{Duration, Instant};

/// So many at once, then so many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    burst: f64,
    /// Per second; `None` for no limit.
    rate: Option<f64>,
}

/// One bucket of a pace.
#[derive(Debug)]
pub struct Bucket {
    pace: Pace,
    tokens: f64,
    filled: Instant,
}

impl Pace {
    pub fn new(burst: u32, rate: Option<f64>) -> Self {
        Self { burst: f64::from(burst.max(1)), rate: rate.filter(|rate| rate.is_finite() && *rate > 0.0) }
    }

    pub fn unlimited() -> Self {
        Self::new(1, None)
    }

    pub fn bucket(self, now: Instant) -> Bucket {
        Bucket { pace: self, tokens: self.burst, filled: now }
    }
}

impl Bucket {
    /// Takes a token; the answer is how long to wait before acting on it.
    pub fn take(&mut self, now: Instant) -> Duration {
        let Some(rate) = self.pace.rate else { return Duration::ZERO };
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * rate).min(self.pace.burst) - 1.0;
        Duration::try_from_secs_f64((-self.tokens / rate).max(0.0)).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_rest_waits() {
        let start = Instant::now();
        let mut bucket = Pace::new(2, Some(10.0)).bucket(start);
        assert_eq!(bucket.take(start), Duration::ZERO);
        assert_eq!(bucket.take(start), Duration::ZERO);
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        assert_eq!(bucket.take(start + Duration::from_secs(60)), Duration::ZERO);
        assert_eq!(Pace::unlimited().bucket(start).take(start), Duration::ZERO);
    }
}
