//! When this server last heard from a leader, and until when it owes that leader its loyalty.
//!
//! A leader answers reads for as long as it may trust that nobody else is elected. That trust rests on a promise:
//! whoever accepted a leader's request elects nobody, not even itself, for `election_max` afterwards. openraft keeps
//! the promise in memory only; a server that restarts has forgotten it, so here it also waits that long after its
//! start.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) struct Contact {
    promise: Duration,
    /// A promise given before the restart ends here at the latest.
    earliest: Instant,
    heard: Mutex<Option<Instant>>,
    /// Requests of a leader that are being worked on. They may wait for the disk.
    working: AtomicUsize,
    /// The last entry in the log at the start. What was shown before the restart is in there.
    floor: Option<u64>,
    /// The commit index that the first leader heard had told.
    goal: Mutex<Option<u64>>,
    caught_up: AtomicBool,
    /// Until when this server backs the successor that its leader has chosen.
    backing: Mutex<Option<Instant>>,
    /// A leader was heard after a time without one.
    pub regained: Notify,
}

/// A leader's request is being worked on while this lives.
pub(crate) struct Working<'a>(&'a Contact);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Contact {
    /// `last`: where the log of an earlier run ends, in which promises may have been given.
    pub fn new(promise: Duration, last: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            promise,
            earliest: if last.is_some() { now + promise } else { now },
            floor: last,
            heard: Mutex::default(),
            working: AtomicUsize::new(0),
            goal: Mutex::default(),
            caught_up: AtomicBool::new(false),
            backing: Mutex::default(),
            regained: Notify::new(),
        }
    }

    pub fn begin(&self) -> Working<'_> {
        self.working.fetch_add(1, Ordering::AcqRel);
        Working(self)
    }

    /// A leader's request was accepted just now. `committed` is the commit index it told, if it did.
    pub fn on_accepted(&self, committed: Option<u64>) {
        let now = Instant::now();
        let before = self.heard.lock().replace(now);
        if before.is_none_or(|heard| now >= heard + self.promise * 2) {
            self.regained.notify_one();
        }
        if let Some(committed) = committed {
            self.goal.lock().get_or_insert(committed);
        }
    }

    /// A successor was chosen, this server or another: for a while no other is encouraged to stand.
    pub fn back_successor(&self) {
        *self.backing.lock() = Some(Instant::now() + self.promise);
    }

    pub fn backs_successor(&self) -> bool {
        self.backing.lock().is_some_and(|until| Instant::now() < until)
    }

    pub fn last(&self) -> Option<Instant> {
        *self.heard.lock()
    }

    /// From when on this server may help to elect somebody, as things stand.
    pub fn free_at(&self) -> Instant {
        if self.working.load(Ordering::Acquire) > 0 {
            return Instant::now() + self.promise;
        }
        let heard = self.last().map_or(self.earliest, |heard| heard + self.promise);
        heard.max(self.earliest)
    }

    /// Whether a promise to a leader is in force.
    pub fn is_bound(&self) -> bool {
        Instant::now() < self.free_at()
    }

    /// Whether the leader that was heard last can still be taken for the leader: the promise is in force, or was until
    /// a moment ago.
    pub fn is_in_touch(&self) -> bool {
        self.last().is_some() && Instant::now() < self.free_at() + self.promise
    }

    /// Whether a leader was heard since the start, and all that it knew to be committed then is applied, and all that
    /// was in the log at the start. `last` is the present end of the log: what was removed from it was not committed.
    pub fn has_caught_up(&self, applied: Option<u64>, last: Option<u64>) -> bool {
        let reached =
            self.goal.lock().is_some_and(|goal| applied >= Some(goal)) && applied >= self.floor.min(last);
        if reached {
            self.caught_up.store(true, Ordering::Release);
        }
        reached || self.had_caught_up()
    }

    /// Whether it was found to have caught up before, after which it always has.
    pub fn had_caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMISE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_restarted_server_is_bound_by_what_it_forgot() {
        let fresh = Contact::new(PROMISE, None);
        assert!(!fresh.is_bound());
        let restarted = Contact::new(PROMISE, Some(10));
        assert!(restarted.is_bound());
        tokio::time::advance(PROMISE + Duration::from_millis(1)).await;
        assert!(!restarted.is_bound());
    }

    #[tokio::test(start_paused = true)]
    async fn each_accepted_request_renews_the_promise_and_work_in_progress_keeps_it() {
        let contact = Contact::new(PROMISE, None);
        contact.on_accepted(None);
        tokio::time::advance(PROMISE / 2).await;
        assert!(contact.is_bound());
        let working = contact.begin();
        tokio::time::advance(PROMISE * 2).await;
        assert!(contact.is_bound());
        drop(working);
        assert!(!contact.is_bound());
    }

    #[tokio::test(start_paused = true)]
    async fn contact_is_lost_a_while_after_the_promise_and_its_return_is_told() {
        let contact = Contact::new(PROMISE, Some(10));
        assert!(!contact.is_in_touch(), "no leader was heard");
        contact.on_accepted(None);
        contact.regained.notified().await;
        tokio::time::advance(PROMISE + PROMISE / 2).await;
        assert!(contact.is_in_touch());
        contact.on_accepted(None);
        tokio::time::advance(PROMISE * 2).await;
        assert!(!contact.is_in_touch());
        contact.on_accepted(None);
        contact.regained.notified().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_has_caught_up_once_it_applied_what_its_first_leader_had_committed() {
        let contact = Contact::new(PROMISE, Some(10));
        assert!(!contact.has_caught_up(Some(10), Some(10)), "no leader was heard");
        contact.on_accepted(Some(9));
        contact.on_accepted(Some(20));
        assert!(!contact.has_caught_up(Some(8), Some(20)));
        assert!(!contact.has_caught_up(Some(9), Some(20)), "the log had one more");
        assert!(contact.has_caught_up(Some(10), Some(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_was_removed_from_the_log_is_not_waited_for() {
        let contact = Contact::new(PROMISE, Some(10));
        contact.on_accepted(Some(9));
        assert!(!contact.has_caught_up(Some(9), Some(10)));
        assert!(contact.has_caught_up(Some(9), Some(9)));
    }
}
