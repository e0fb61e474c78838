//! Follows a read: one answer for every change, as long as the program runs.
//!
//! What makes this more than a loop: an index may run backwards (a restored snapshot, a new leader that lost some
//! bookkeeping), a busy catalog may change faster than anybody can use, a broken agent may answer at once without
//! waiting, and a thousand watchers must not all come back in the second an agent does.

use std::future::Future;
use std::time::{Duration, Instant};

use super::error::ClientError;
use super::options::{Answer, QueryMeta, QueryOptions};
use super::retry::Backoff;

/// What an answer's index means for the next request. Holds no clock and no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexTracker {
    /// For the next request.
    next: u64,
    /// Of the answer that was handed out last.
    seen: Option<u64>,
}

impl IndexTracker {
    /// The index to send: 0 asks for an answer at once.
    pub fn request_index(&self) -> u64 {
        self.next
    }

    /// Takes note of an answer. True if it is a change.
    pub fn observe(&mut self, index: u64) -> bool {
        // An endpoint that does not block sends none; waiting for index 0 would be no wait at all.
        let index = index.max(1);
        self.next = if index < self.next { 0 } else { index };
        let changed = self.seen != Some(index);
        self.seen = Some(index);
        changed
    }

    /// Ask anew, for an answer that counts as a change.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Lets a few through at once, then one for each interval.
#[derive(Clone, Debug)]
struct RateLimit {
    interval: Duration,
    burst: u32,
    spent: u32,
    since: Option<Instant>,
}

impl RateLimit {
    fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, spent: 0, since: None }
    }

    /// Counts an attempt; how long it has to wait.
    fn wait(&mut self, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        let refilled =
            elapsed.as_nanos().checked_div(self.interval.as_nanos()).unwrap_or(u128::from(u32::MAX));
        let refilled = u32::try_from(refilled).unwrap_or(u32::MAX);
        if refilled >= self.spent {
            self.spent = 0;
            self.since = Some(now);
        } else {
            self.spent -= refilled;
            self.since = Some(since + self.interval * refilled);
        }
        self.spent += 1;
        if self.spent <= self.burst {
            return Duration::ZERO;
        }
        self.interval * (self.spent - self.burst)
    }
}

/// How a watcher behaves.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// How long one request waits for a change.
    pub wait: Duration,
    /// Requests closer together than this are delayed, after a burst of some.
    pub min_interval: Duration,
    pub burst: u32,
    /// Pauses after failures.
    pub backoff: Backoff,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(60),
            min_interval: Duration::from_millis(100),
            burst: 10,
            backoff: Backoff::default(),
        }
    }
}

/// Repeats a read and hands out its changes.
///
/// ```no_run
/// # async fn example(client: consul_api::client::Client) {
/// use consul_api::client::{QueryOptions, watch::{Watcher, WatchSettings}};
/// let mut watcher = Watcher::new(QueryOptions::stale(), WatchSettings::default(), move |options| {
///     let client = client.clone();
///     async move { client.health().service("web", &[], true, &options).await }
/// });
/// loop {
///     match watcher.next().await {
///         Ok(answer) => println!("{} instances", answer.value.len()),
///         Err(error) => eprintln!("{error}; trying again"),
///     }
/// }
/// # }
/// ```
pub struct Watcher<F> {
    options: QueryOptions,
    settings: WatchSettings,
    fetch: F,
    index: IndexTracker,
    /// Of the answer handed out last, for reads that follow a hash.
    hash: String,
    limit: RateLimit,
    pause: Duration,
}

impl<F, Fut, T> Watcher<F>
where
    F: FnMut(QueryOptions) -> Fut,
    Fut: Future<Output = Result<Answer<T>, ClientError>>,
{
    /// `fetch` makes one request with the options it is given.
    pub fn new(options: QueryOptions, settings: WatchSettings, fetch: F) -> Self {
        let limit = RateLimit::new(settings.min_interval, settings.burst);
        let index = IndexTracker::default();
        Self { options, settings, fetch, index, hash: String::new(), limit, pause: Duration::ZERO }
    }

    /// The first answer, then one after each change. A failure is handed out once; the call after it pauses before
    /// it tries again, longer each time. Dropping the future loses nothing but the request in flight.
    pub async fn next(&mut self) -> Result<Answer<T>, ClientError> {
        loop {
            let delay = self.pause.max(self.limit.wait(Instant::now()));
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            self.pause = Duration::ZERO;
            let options = self.request_options();
            match (self.fetch)(options).await {
                Ok(answer) => {
                    self.settings.backoff.succeeded();
                    if self.is_change(&answer.meta) {
                        return Ok(answer);
                    }
                }
                Err(error) => {
                    self.pause = self.settings.backoff.failed();
                    return Err(error);
                }
            }
        }
    }

    /// How long the next call waits before it asks: nothing unless the last one failed.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.settings.backoff.failures()
    }

    /// The next answer counts as a change whatever it is.
    pub fn reset(&mut self) {
        self.index.reset();
        self.hash.clear();
    }

    fn request_options(&self) -> QueryOptions {
        let mut options = self.options.after(self.index.request_index(), self.settings.wait);
        if !self.hash.is_empty() {
            options.hash = Some(self.hash.clone());
        }
        options
    }

    fn is_change(&mut self, meta: &QueryMeta) -> bool {
        if meta.content_hash.is_empty() {
            return self.index.observe(meta.index);
        }
        let changed = self.hash != meta.content_hash;
        self.hash.clone_from(&meta.content_hash);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_runs_backwards_starts_over() {
        let mut index = IndexTracker::default();
        assert_eq!(index.request_index(), 0);
        assert!(index.observe(10));
        assert_eq!(index.request_index(), 10);
        assert!(!index.observe(10), "a wait that ended without a change");
        assert!(index.observe(12));
        assert!(index.observe(5), "what the restored state holds");
        assert_eq!(index.request_index(), 0);
        assert!(!index.observe(5), "known since the answer before");
        assert_eq!(index.request_index(), 5);
    }

    #[test]
    fn an_answer_without_an_index_never_leads_to_a_request_without_a_wait() {
        let mut index = IndexTracker::default();
        assert!(index.observe(0));
        assert_eq!(index.request_index(), 1);
        assert!(!index.observe(0));
        assert_eq!(index.request_index(), 1);
    }

    #[test]
    fn busy_loops_are_slowed_to_the_interval() {
        let start = Instant::now();
        let mut limit = RateLimit::new(Duration::from_millis(100), 3);
        for _ in 0..3 {
            assert_eq!(limit.wait(start), Duration::ZERO);
        }
        assert_eq!(limit.wait(start), Duration::from_millis(100));
        assert_eq!(limit.wait(start + Duration::from_millis(100)), Duration::from_millis(100));
        assert_eq!(limit.wait(start + Duration::from_secs(10)), Duration::ZERO);
    }

    #[test]
    fn no_interval_is_no_limit() {
        let now = Instant::now();
        let mut limit = RateLimit::new(Duration::ZERO, 0);
        assert_eq!((0..100).map(|_| limit.wait(now)).max(), Some(Duration::ZERO));
    }
}
