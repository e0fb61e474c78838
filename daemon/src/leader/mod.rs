//! What must happen once in a cluster, and therefore happens on the leader: session expiry, lock delays, tombstone
//! collection, the leader's view of its own members, the care for its quorum.

pub mod autopilot;
pub mod bootstrap;
pub mod deadlines;
pub mod duties;
pub mod lock_delay;
pub mod members;

use std::time::{Duration, Instant};

use consul_api::types::duration::GoDuration;
use consul_api::types::session::Session;
use consul_state::{Outcome, Store, WatchSet};
use parking_lot::Mutex;
use tokio::sync::Notify;

use autopilot::Health;
use deadlines::Deadlines;
use lock_delay::LockDelays;

/// How long a deletion is remembered, so that the index of a prefix does not fall.
const TOMBSTONE_TTL: Duration = Duration::from_secs(15 * 60);
/// Deletions within this span are forgotten together.
const TOMBSTONE_GRANULARITY: Duration = Duration::from_secs(30);

/// The leader's memory between commands. Lost with leadership and rebuilt by the next leader.
#[derive(Default)]
pub struct Leader {
    pub lock_delays: LockDelays,
    pub health: Health,
    timers: Mutex<Timers>,
    /// A timer changed: whoever sleeps until the next one must look again.
    changed: Notify,
}

#[derive(Default)]
struct Timers {
    /// Sessions with a TTL, by id.
    sessions: Deadlines<String>,
    /// Tombstones up to this index are due at that time.
    tombstones: Deadlines<u64>,
    last_tombstone: Option<Instant>,
    /// The state was replaced by a snapshot: what the timers know is void.
    void: bool,
}

/// What fell due.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub sessions: Vec<String>,
    /// Forget tombstones up to this index.
    pub tombstones: Option<u64>,
}

impl Leader {
    /// Takes note of what a command did.
    pub fn note(&self, outcome: &Outcome, now: Instant) {
        let Some(effects) = outcome.effects.as_deref() else { return };
        for delay in &effects.lock_delays {
            let span = Duration::from_nanos(u64::try_from(delay.delay.0).unwrap_or(0));
            self.lock_delays.start(delay.key.clone(), span, now);
        }
        let mut timers = self.timers.lock();
        effects.ended_sessions.iter().for_each(|id| timers.sessions.disarm(id));
        if effects.tombstone {
            timers.remember_tombstone(outcome.index, now);
        }
        drop(timers);
        self.changed.notify_one();
    }

    /// Starts or restarts the clock of a session. It ends no earlier than its TTL and no later than twice that.
    pub fn arm_session(&self, session: &Session, now: Instant) {
        let Some(ttl) = ttl_of(session) else { return };
        self.timers.lock().sessions.arm(session.id.clone(), now + ttl * 2);
        self.changed.notify_one();
    }

    /// The state was replaced: every clock starts anew.
    pub fn state_replaced(&self) {
        self.timers.lock().void = true;
        self.lock_delays.clear();
        self.changed.notify_one();
    }

    /// Forgets everything and starts the clocks of what the state holds.
    pub fn rebuild(&self, store: &Store, now: Instant) {
        let mut timers = self.timers.lock();
        *timers = Timers::default();
        // Not before the lock: a session that is opened meanwhile is either in this version or armed after it.
        let version = store.version();
        let mut unwatched = WatchSet::new();
        let (_, sessions) = version.sessions(&mut unwatched);
        for session in sessions {
            if let Some(ttl) = ttl_of(session) {
                timers.sessions.arm(session.id.clone(), now + ttl * 2);
            }
        }
        if version.oldest_tombstone().is_some() {
            timers.remember_tombstone(version.index(), now);
        }
    }

    /// Sessions whose clocks run.
    pub fn session_count(&self) -> usize {
        self.timers.lock().sessions.count()
    }

    pub fn is_void(&self) -> bool {
        self.timers.lock().void
    }

    pub fn take_due(&self, now: Instant) -> Due {
        let mut timers = self.timers.lock();
        Due { sessions: timers.sessions.take_due(now), tombstones: timers.tombstones.take_due(now).pop() }
    }

    pub fn next_due(&self) -> Option<Instant> {
        let timers = self.timers.lock();
        timers.sessions.next().into_iter().chain(timers.tombstones.next()).min()
    }

    /// Resolves after the next change of a timer.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Timers {
    fn remember_tombstone(&mut self, index: u64, now: Instant) {
        let recent = self
            .last_tombstone
            .is_some_and(|last| now.saturating_duration_since(last) < TOMBSTONE_GRANULARITY);
        if recent {
            return;
        }
        self.last_tombstone = Some(now);
        // Deletions of the next half minute are not in this one: they are forgotten with the following.
        self.tombstones.arm(index, now + TOMBSTONE_TTL + TOMBSTONE_GRANULARITY);
    }
}

/// The TTL of a session that has one.
fn ttl_of(session: &Session) -> Option<Duration> {
    let ttl: GoDuration = session.ttl.parse().ok()?;
    (ttl.0 > 0).then(|| ttl.to_std())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, ttl: &str) -> Session {
        Session { id: id.into(), ttl: ttl.into(), ..Session::default() }
    }

    #[test]
    fn a_session_falls_due_after_twice_its_ttl_and_renewal_restarts_it() {
        let leader = Leader::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        leader.arm_session(&session("a", "10s"), start);
        leader.arm_session(&session("none", ""), start);
        leader.arm_session(&session("zero", "0s"), start);
        assert_eq!(leader.take_due(at(19)), Due::default());
        leader.arm_session(&session("a", "10s"), at(19));
        assert_eq!(leader.take_due(at(20)), Due::default());
        assert_eq!(leader.take_due(at(39)).sessions, ["a"]);
        assert_eq!(leader.next_due(), None);
    }
}
