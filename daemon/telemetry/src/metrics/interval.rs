//! What is known of one series over one span of time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// The length of an interval. Intervals start at multiples of it.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// How many finished intervals are kept: those of the last minute.
pub const RETAINED: usize = 6;

/// Number, sum and spread of the values observed in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Aggregate {
    pub count: u64,
    pub sum: f64,
    pub sum_of_squares: f64,
    pub min: f64,
    pub max: f64,
}

impl Aggregate {
    pub fn add(&mut self, value: f64) {
        self.merge(&Self { count: 1, sum: value, sum_of_squares: value * value, min: value, max: value });
    }

    /// `count` times one.
    pub fn of_ones(count: u64) -> Self {
        let sum = count as f64;
        let edge = if count == 0 { 0.0 } else { 1.0 };
        Self { count, sum, sum_of_squares: sum, min: edge, max: edge }
    }

    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        (self.min, self.max) = match self.count {
            0 => (other.min, other.max),
            _ => (self.min.min(other.min), self.max.max(other.max)),
        };
        self.count += other.count;
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
    }

    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }

    /// The standard deviation of the sample; 0 for fewer than two values.
    pub fn stddev(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let count = self.count as f64;
        let numerator = count * self.sum_of_squares - self.sum * self.sum;
        // Rounding may leave a little less than nothing.
        (numerator.max(0.0) / (count * (count - 1.0))).sqrt()
    }
}

/// The number of the interval that a time lies in.
pub fn number_at(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / INTERVAL.as_secs()
}

/// When an interval starts.
pub fn start_of(number: u64) -> SystemTime {
    UNIX_EPOCH + INTERVAL.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX))
}

/// `2026-11-21 04:57:40 +0000 UTC`
pub fn timestamp(time: SystemTime) -> String {
    let at = OffsetDateTime::from(time);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} +0000 UTC",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread() {
        let mut all = Aggregate::default();
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            all.add(value);
        }
        assert_eq!((all.count, all.sum, all.min, all.max, all.mean()), (8, 40.0, 2.0, 9.0, 5.0));
        assert!((all.stddev() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Aggregate::of_ones(3).stddev(), 0.0);
        let mut merged = Aggregate::default();
        merged.merge(&Aggregate::of_ones(0));
        assert_eq!(merged, Aggregate::default());
    }

    #[test]
    fn intervals_are_aligned() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_237_067);
        assert_eq!(timestamp(start_of(number_at(time))), "2026-11-21 04:57:40 +0000 UTC");
    }
}
