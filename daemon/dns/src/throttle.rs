//! Keeps what strangers send from filling the log.

use std::sync::Mutex;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// Allows a number of lines each second, and counts those it suppressed.
#[derive(Debug)]
pub struct Throttle {
    per_second: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    started: Option<Instant>,
    allowed: u32,
    suppressed: u64,
}

impl Throttle {
    pub const fn new(per_second: u32) -> Self {
        let window = Window { started: None, allowed: 0, suppressed: 0 };
        Self { per_second, window: Mutex::new(window) }
    }

    /// `Some` if a line may be written at `now`, with the number of lines left out since the last one.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.started.is_none_or(|started| now.saturating_duration_since(started) >= WINDOW) {
            window.started = Some(now);
            window.allowed = 0;
        }
        if window.allowed >= self.per_second {
            window.suppressed += 1;
            return None;
        }
        window.allowed += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_left_out_and_counted() {
        let throttle = Throttle::new(2);
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| throttle.admit(start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(throttle.admit(start + WINDOW), Some(3));
        assert_eq!(throttle.admit(start + WINDOW), Some(0));
    }
}
