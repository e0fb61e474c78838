//! How many requests an agent sends to servers, and how many a server takes.
//!
//! Both are buckets of tokens that a reload replaces. A request beyond them is refused at once: whoever is limited
//! should slow down, not queue up.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use consul_config::{LimitsConfig, RequestLimitMode};
use consul_telemetry::metrics::{Counter, counter_with};
use parking_lot::Mutex;
use tracing::warn;

/// A server takes ten seconds' worth of requests at once, which evens out restarts of busy clients.
const REQUEST_BURST_SECONDS: f64 = 10.0;
/// Refusals come in crowds: one line of the log stands for all of a second.
const LOG_PERIOD: Duration = Duration::from_secs(1);

/// A rate that requests may not exceed. Without one, everything is admitted at the cost of one load.
#[derive(Debug, Default)]
pub struct RateLimiter(ArcSwapOption<Mutex<Bucket>>);

/// Tokens that have not been used, up to `burst`; refilled at `rate` a second.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl RateLimiter {
    /// The limit from now on, with a full bucket. No rate: no limit.
    pub fn set(&self, rate: Option<f64>, burst: f64, now: Instant) {
        let bucket = rate.map(|rate| Mutex::new(Bucket { rate, burst, tokens: burst, filled: now }));
        self.0.store(bucket.map(Into::into));
    }

    /// Looks at the clock only if there is a limit.
    pub fn admits(&self, clock: impl FnOnce() -> Instant) -> bool {
        let limit = self.0.load();
        limit.as_ref().is_none_or(|bucket| bucket.lock().take(clock()))
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + elapsed * self.rate).min(self.burst);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

/// What a request does to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// The limits of one server on the requests of all its clients together.
#[derive(Debug)]
pub struct RequestLimits {
    mode: ArcSwap<RequestLimitMode>,
    reads: RateLimiter,
    writes: RateLimiter,
    started: Instant,
    /// Milliseconds after `started`; until then no further refusal is logged.
    silent_until: AtomicU64,
}

impl RequestLimits {
    pub fn new(config: &LimitsConfig, now: Instant) -> Self {
        let limits = Self {
            mode: ArcSwap::default(),
            reads: RateLimiter::default(),
            writes: RateLimiter::default(),
            started: now,
            silent_until: AtomicU64::new(0),
        };
        limits.set(config, now);
        limits
    }

    pub fn set(&self, config: &LimitsConfig, now: Instant) {
        let limits = &config.request_limits;
        let rates = match limits.mode {
            RequestLimitMode::Disabled => (None, None),
            RequestLimitMode::Permissive | RequestLimitMode::Enforcing => {
                (limits.read_rate, limits.write_rate)
            }
        };
        let burst = |rate: Option<f64>| rate.unwrap_or(0.0) * REQUEST_BURST_SECONDS;
        self.mode.store(limits.mode.into());
        self.reads.set(rates.0, burst(rates.0), now);
        self.writes.set(rates.1, burst(rates.1), now);
    }

    pub fn admits(&self, access: Access, clock: impl Fn() -> Instant) -> bool {
        let limiter = match access {
            Access::Read => &self.reads,
            Access::Write => &self.writes,
        };
        limiter.admits(&clock) || self.exceeded(access, clock())
    }

    /// Takes note of a request above the limit; tells whether it is served all the same.
    fn exceeded(&self, access: Access, now: Instant) -> bool {
        static EXCEEDED: LazyLock<[Counter; 2]> = LazyLock::new(|| {
            ["global/read", "global/write"]
                .map(|kind| counter_with("rpc.rate_limit.exceeded", &[("limit_type", kind)]))
        });
        let enforced = **self.mode.load() == RequestLimitMode::Enforcing;
        let [reads, writes] = &*EXCEEDED;
        let (counter, limit_type) = match access {
            Access::Read => (reads, "global/read"),
            Access::Write => (writes, "global/write"),
        };
        counter.incr();
        if self.may_log(now) {
            warn!(target: "agent.server.rpc-rate-limit", limit_type, limit_enforced = enforced, "RPC exceeded allowed rate limit");
        }
        !enforced
    }

    fn may_log(&self, now: Instant) -> bool {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let at = millis(now.saturating_duration_since(self.started));
        let silent_until = self.silent_until.load(Ordering::Relaxed);
        let next = at.saturating_add(millis(LOG_PERIOD));
        at >= silent_until
            && self
                .silent_until
                .compare_exchange(silent_until, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_admitted_and_then_the_rate() {
        let start = Instant::now();
        let limiter = RateLimiter::default();
        assert!(limiter.admits(|| start));
        limiter.set(Some(10.0), 2.0, start);
        assert!(limiter.admits(|| start) && limiter.admits(|| start));
        assert!(!limiter.admits(|| after(start, 99)));
        assert!(limiter.admits(|| after(start, 190)));
        assert!(!limiter.admits(|| after(start, 190)));
        limiter.set(None, 0.0, start);
        assert!(limiter.admits(|| after(start, 200)));
    }

    #[test]
    fn a_rate_of_zero_admits_no_more_than_the_burst() {
        let start = Instant::now();
        let limiter = RateLimiter::default();
        limiter.set(Some(0.0), 1.0, start);
        assert!(limiter.admits(|| start));
        assert!(!limiter.admits(|| start + Duration::from_secs(3600)));
    }

    #[test]
    fn reads_and_writes_are_limited_apart_and_only_when_enforced() {
        let start = Instant::now();
        let mut config = LimitsConfig::default();
        config.request_limits.mode = RequestLimitMode::Enforcing;
        config.request_limits.write_rate = Some(0.1);
        let limits = RequestLimits::new(&config, start);
        assert!(limits.admits(Access::Write, || start));
        assert!(!limits.admits(Access::Write, || start));
        assert!(limits.admits(Access::Read, || start));
        config.request_limits.mode = RequestLimitMode::Permissive;
        limits.set(&config, start);
        assert!(limits.admits(Access::Write, || start) && limits.admits(Access::Write, || start));
    }

    #[test]
    fn refusals_are_logged_once_a_second() {
        let start = Instant::now();
        let limits = RequestLimits::new(&LimitsConfig::default(), start);
        assert!(limits.may_log(start));
        assert!(!limits.may_log(after(start, 999)));
        assert!(limits.may_log(after(start, 1000)));
    }
}
