//! What was said of members that are not in the table: accusations that overtook the announcement, and members that
//! were forgotten. Without it, old news would bring back who is gone.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::node::NodeState;
use crate::time::Time;

/// The last word on a member that is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub incarnation: u32,
    /// Suspect, dead or left.
    pub state: NodeState,
}

/// Verdicts by name, for a limited time and up to a limited number.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    verdicts: HashMap<Arc<str>, (Verdict, Time)>,
    /// In the order in which they run out. A verdict that was renewed is here more than once.
    expiry: VecDeque<(Time, Arc<str>)>,
    /// When an accusation was last repeated to the accused.
    repeated: HashMap<Arc<str>, Time>,
}

/// Most verdicts and repetitions held.
const ENTRIES_MAX: usize = 16 * 1024;

impl Evidence {
    pub fn get(&self, name: &str) -> Option<Verdict> {
        self.verdicts.get(name).map(|(verdict, _)| *verdict)
    }

    /// Keeps a verdict unless a weightier one is there. Returns whether it was news.
    pub fn keep(&mut self, now: Time, lifetime: Duration, name: &str, verdict: Verdict) -> bool {
        let weight = |verdict: &Verdict| (verdict.incarnation, verdict.state != NodeState::Suspect);
        if self.get(name).is_some_and(|held| weight(&held) >= weight(&verdict)) {
            return false;
        }
        self.expire(now);
        while self.expiry.len() >= ENTRIES_MAX {
            self.drop_oldest();
        }
        let until = now + lifetime;
        let name: Arc<str> = name.into();
        self.expiry.push_back((until, Arc::clone(&name)));
        self.verdicts.insert(name, (verdict, until));
        true
    }

    pub fn forget(&mut self, name: &str) {
        self.verdicts.remove(name);
    }

    /// Whether an accusation may be repeated to `name` now: not more often than each `interval`.
    pub fn may_repeat(&mut self, now: Time, interval: Duration, name: &str) -> bool {
        if self.repeated.get(name).is_some_and(|last| now.since(*last) < interval) {
            return false;
        }
        if self.repeated.len() >= ENTRIES_MAX {
            return false;
        }
        self.repeated.insert(name.into(), now);
        true
    }

    /// Drops what is old.
    pub fn expire(&mut self, now: Time) {
        while self.expiry.front().is_some_and(|(until, _)| *until <= now) {
            self.drop_oldest();
        }
    }

    /// Drops what is known of repetitions before `interval`.
    pub fn expire_repeated(&mut self, now: Time, interval: Duration) {
        self.repeated.retain(|_, last| now.since(*last) < interval);
    }

    fn drop_oldest(&mut self) {
        let Some((until, name)) = self.expiry.pop_front() else { return };
        if self.verdicts.get(&name).is_some_and(|(_, renewed)| *renewed == until) {
            self.verdicts.remove(&name);
        }
    }
}
