//! How long a suspected member has to contradict: the more others suspect it too, the shorter.

use std::sync::Arc;
use std::time::Duration;

use super::Config;
use crate::time::Time;

/// A running suspicion.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// Tells the timers of this suspicion from those of an earlier one.
    pub number: u64,
    started: Time,
    min: Duration,
    max: Duration,
    /// Confirmations that bring the time down to `min`.
    confirmations_wanted: u32,
    /// Who suspects, the first accuser first.
    accusers: Vec<Arc<str>>,
}

impl Suspicion {
    /// `known`: nodes in the pool, the dead included.
    pub fn new(number: u64, now: Time, from: Arc<str>, known: usize, config: &Config) -> Self {
        let wanted = config.suspicion_mult.saturating_sub(2);
        // Nobody could confirm in a pool so small: accused, accuser, and too few besides.
        let enough = known.saturating_sub(2) >= wanted as usize;
        let min = shortest(config.suspicion_mult, known, config.probe_interval);
        Self {
            number,
            started: now,
            min,
            max: min.saturating_mul(config.suspicion_max_mult),
            confirmations_wanted: if enough { wanted } else { 0 },
            accusers: vec![from],
        }
    }

    /// Takes note of another accuser. Returns whether that brings the end nearer.
    pub fn confirm(&mut self, from: &str) -> bool {
        let enough = self.confirmations() >= self.confirmations_wanted;
        if enough || self.accusers.iter().any(|accuser| &**accuser == from) {
            return false;
        }
        self.accusers.push(from.into());
        true
    }

    /// When the member is to be declared dead, as things stand.
    pub fn ends(&self) -> Time {
        self.started + timeout(self.confirmations(), self.confirmations_wanted, self.min, self.max)
    }

    /// Gives back time in which nothing could be heard.
    pub fn delay(&mut self, pause: Duration) {
        self.started = self.started + pause;
    }

    fn confirmations(&self) -> u32 {
        self.accusers.len().saturating_sub(1) as u32
    }
}

/// Shortest suspicion in a pool of `known` nodes.
fn shortest(mult: u32, known: usize, probe_interval: Duration) -> Duration {
    let scale = (known.max(1) as f64).log10().max(1.0);
    let permille = (scale * 1000.0).floor() as u32;
    probe_interval.saturating_mul(mult).saturating_mul(permille) / 1000
}

fn timeout(confirmations: u32, wanted: u32, min: Duration, max: Duration) -> Duration {
    if wanted == 0 {
        return min;
    }
    let progress = f64::from(confirmations + 1).ln() / f64::from(wanted + 1).ln();
    let seconds = max.as_secs_f64() - (max.as_secs_f64() - min.as_secs_f64()) * progress;
    let millis = (seconds.max(0.0) * 1000.0).floor() as u64;
    Duration::from_millis(millis).max(min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn the_shortest_time_grows_with_the_logarithm_of_the_pool() {
        assert_eq!(shortest(4, 3, secs(1)), secs(4));
        assert_eq!(shortest(4, 10, secs(1)), secs(4));
        assert_eq!(shortest(4, 100, secs(1)), secs(8));
        assert_eq!(shortest(4, 500, secs(1)), Duration::from_millis(10_792));
        assert_eq!(shortest(6, 10_000, secs(5)), secs(120));
    }

    #[test]
    fn each_confirmation_takes_off_less_than_the_one_before() {
        let at = |confirmations| timeout(confirmations, 3, secs(2), secs(30)).as_millis();
        assert_eq!([at(0), at(1), at(2), at(3), at(4)], [30_000, 16_000, 7_810, 2_000, 2_000]);
        assert_eq!(timeout(0, 0, secs(2), secs(30)), secs(2));
    }

    #[test]
    fn only_distinct_accusers_count_and_only_as_many_as_wanted() {
        let addr = ([127, 0, 0, 1], 1).into();
        let config = Config::lan("a", addr);
        let mut suspicion = Suspicion::new(1, Time::default(), "b".into(), 10, &config);
        assert!(!suspicion.confirm("b"));
        assert!(suspicion.confirm("c"));
        assert!(!suspicion.confirm("c"));
        assert!(suspicion.confirm("d"));
        assert!(!suspicion.confirm("e"));
        assert_eq!(suspicion.ends(), Time::new(secs(4)));
    }

    #[test]
    fn in_a_pool_of_three_nobody_is_waited_for() {
        let config = Config::lan("a", ([127, 0, 0, 1], 1).into());
        let suspicion = Suspicion::new(1, Time::default(), "b".into(), 3, &config);
        assert_eq!(suspicion.ends(), Time::new(secs(4)));
    }
}
