//! Figures for operators.

use super::Serf;
use super::member::MemberStatus;
use crate::swim::Swim;

/// How a pool looks from here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Members of any status.
    pub members: usize,
    pub failed: usize,
    pub left: usize,
    /// How much this node doubts itself; 0 is healthy.
    pub health_score: u32,
    pub member_time: u64,
    pub event_time: u64,
    pub query_time: u64,
    /// Messages waiting to be spread.
    pub intent_queue: usize,
    pub event_queue: usize,
    pub query_queue: usize,
    pub encrypted: bool,
    pub coordinate_resets: u64,
    /// Events lost because nobody took them in time.
    pub events_dropped: u64,
}

impl Stats {
    /// The figures that `consul info` shows, by their names there.
    pub fn pairs(&self) -> [(&'static str, String); 12] {
        [
            ("coordinate_resets", self.coordinate_resets.to_string()),
            ("encrypted", self.encrypted.to_string()),
            ("event_queue", self.event_queue.to_string()),
            ("event_time", self.event_time.to_string()),
            ("failed", self.failed.to_string()),
            ("health_score", self.health_score.to_string()),
            ("intent_queue", self.intent_queue.to_string()),
            ("left", self.left.to_string()),
            ("member_time", self.member_time.to_string()),
            ("members", self.members.to_string()),
            ("query_queue", self.query_queue.to_string()),
            ("query_time", self.query_time.to_string()),
        ]
    }
}

impl Serf {
    /// How the pool looks from here.
    pub fn stats(&self, swim: &Swim) -> Stats {
        Stats {
            members: self.roster.len(),
            failed: self.roster.count(MemberStatus::Failed),
            left: self.roster.count(MemberStatus::Left),
            health_score: swim.health_score(),
            member_time: self.clock.time().0,
            event_time: self.event_clock.time().0,
            query_time: self.query_clock.time().0,
            intent_queue: self.intents.len(),
            event_queue: self.user_events.len(),
            query_queue: self.queries.len(),
            encrypted: swim.keyring().is_some(),
            coordinate_resets: self.coordinates.resets(),
            events_dropped: self.events.dropped(),
        }
    }
}
