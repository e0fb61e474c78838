//! The members and what became of each: the rules by which word of mouth and failure detection together decide.
//!
//! Failure detection alone cannot tell a crash from a departure, and words alone can be old. So every member has the
//! time of the last intent about it, and only a newer intent changes what is thought.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::intents::{Intent, IntentKind, RecentIntents};
use super::member::{Member, MemberStatus};
use crate::lamport::LamportTime;
use crate::node::Node;
use crate::time::Time;

#[derive(Debug)]
struct Record {
    member: Member,
    /// When the last intent about it was sent.
    status_time: LamportTime,
    /// When it failed or left.
    gone_since: Time,
}

/// How a member stopped answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye.
    Left,
    /// It did not.
    Failed,
}

/// What follows from an intent.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// Old news.
    Ignored,
    /// Somebody says that we leave, and we do not.
    Refute,
    /// News, to be passed on.
    News(Vec<Event>),
}

/// How long to wait and to remember.
#[derive(Clone, Copy, Debug)]
pub struct RosterLimits {
    /// Names kept for which only an intent is known.
    pub intents_max: usize,
    /// A leaving member that is to be forgotten gets this long to go.
    pub prune_delay: Duration,
}

/// All members known.
#[derive(Debug)]
pub struct Roster {
    local: Arc<str>,
    records: BTreeMap<Arc<str>, Record>,
    recent: RecentIntents,
    /// Members to be forgotten at a time unless they are back by then.
    prunes: Vec<(Time, Arc<str>)>,
    limits: RosterLimits,
    changed: bool,
}

impl Roster {
    /// Nobody yet; the own node appears like any other.
    pub fn new(local: Arc<str>, limits: RosterLimits) -> Self {
        let recent = RecentIntents::new(limits.intents_max);
        Self { local, records: BTreeMap::new(), recent, prunes: Vec::new(), limits, changed: true }
    }

    /// All members in order of their names.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.records.values().map(|record| &record.member)
    }

    /// One member.
    pub fn get(&self, name: &str) -> Option<&Member> {
        self.records.get(name).map(|record| &record.member)
    }

    /// Number of members, whatever became of them.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Number of members of one status.
    pub fn count(&self, status: MemberStatus) -> usize {
        self.members().filter(|member| member.status == status).count()
    }

    /// Whether anybody else is alive: whether there is anybody to tell.
    pub fn has_company(&self) -> bool {
        self.members().any(|member| member.status == MemberStatus::Alive && member.name != self.local)
    }

    /// Whether something changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// When the last intent about each member was sent.
    pub fn status_times(&self) -> impl Iterator<Item = (&str, LamportTime)> {
        self.records.iter().map(|(name, record)| (&**name, record.status_time))
    }

    /// A member is there that was not.
    pub fn joined(&mut self, node: &Node) -> Event {
        self.changed = true;
        if let Some(record) = self.records.get_mut(&node.name) {
            record.member = Member::new(node, MemberStatus::Alive);
            self.prunes.retain(|(_, name)| *name != node.name);
            return Event::Joined(vec![record.member.clone()]);
        }
        let (status, status_time) = match self.recent.take(&node.name) {
            Some(Intent { kind: IntentKind::Leave, at }) => (MemberStatus::Leaving, at),
            Some(Intent { kind: IntentKind::Join, at }) => (MemberStatus::Alive, at),
            None => (MemberStatus::Alive, LamportTime::default()),
        };
        let member = Member::new(node, status);
        let record = Record { member: member.clone(), status_time, gone_since: Time::default() };
        self.records.insert(Arc::clone(&node.name), record);
        Event::Joined(vec![member])
    }

    /// A member changed its description or address.
    pub fn updated(&mut self, node: &Node) -> Option<Event> {
        let record = self.records.get_mut(&node.name)?;
        record.member = Member::new(node, record.member.status);
        self.changed = true;
        Some(Event::Updated(vec![record.member.clone()]))
    }

    /// A member is gone, by failure detection or by its own word.
    pub fn departed(&mut self, now: Time, node: &Node, how: Departure) -> Option<Event> {
        let record = self.records.get_mut(&node.name)?;
        let status = match (record.member.status, how) {
            (MemberStatus::Leaving, _) | (MemberStatus::Alive, Departure::Left) => MemberStatus::Left,
            (MemberStatus::Alive, Departure::Failed) => MemberStatus::Failed,
            // Its goodbye came after it was given up, perhaps by way of somebody who heard it in time.
            (MemberStatus::Failed, Departure::Left) => MemberStatus::Left,
            (MemberStatus::Failed | MemberStatus::Left, _) => return None,
        };
        record.member.status = status;
        record.gone_since = now;
        self.changed = true;
        let members = vec![record.member.clone()];
        Some(if status == MemberStatus::Left { Event::Left(members) } else { Event::Failed(members) })
    }

    /// A member means to be here.
    pub fn join_intent(&mut self, now: Time, name: &str, at: LamportTime) -> Outcome {
        let Some(record) = self.records.get_mut(name) else {
            let news = self.recent.record(name, Intent { kind: IntentKind::Join, at }, now);
            return if news { Outcome::News(Vec::new()) } else { Outcome::Ignored };
        };
        if at <= record.status_time {
            return Outcome::Ignored;
        }
        record.status_time = at;
        // Gone is gone, whatever it says: only failure detection sees it come back.
        if record.member.status == MemberStatus::Leaving {
            record.member.status = MemberStatus::Alive;
            self.prunes.retain(|(_, pruned)| **pruned != *name);
            self.changed = true;
        }
        Outcome::News(Vec::new())
    }

    /// A member is going, or somebody removes it. `staying`: our own node does not mean to leave.
    pub fn leave_intent(
        &mut self,
        now: Time,
        name: &str,
        at: LamportTime,
        prune: bool,
        staying: bool,
    ) -> Outcome {
        let local = *name == *self.local;
        let Some(record) = self.records.get_mut(name) else {
            let news = self.recent.record(name, Intent { kind: IntentKind::Leave, at }, now);
            return if news { Outcome::News(Vec::new()) } else { Outcome::Ignored };
        };
        if at <= record.status_time {
            return Outcome::Ignored;
        }
        if local && staying {
            return Outcome::Refute;
        }
        record.status_time = at;
        let mut events = Vec::new();
        match record.member.status {
            MemberStatus::Alive => {
                record.member.status = MemberStatus::Leaving;
                self.changed = true;
            }
            MemberStatus::Failed => {
                record.member.status = MemberStatus::Left;
                record.gone_since = now;
                self.changed = true;
                events.push(Event::Left(vec![record.member.clone()]));
            }
            MemberStatus::Leaving | MemberStatus::Left => {}
        }
        if prune && !local {
            match record.member.status {
                MemberStatus::Left => events.extend(self.forget(name)),
                _ => self.prunes.push((now + self.limits.prune_delay, Arc::clone(&record.member.name))),
            }
        }
        Outcome::News(events)
    }

    /// A peer counts a member among those that left; `last_intent` is the time of the last intent the peer knows of.
    ///
    /// Exchanges repeat for ever, so one that brings nothing new must change nothing, or times would creep up. And a
    /// member that is back is not gone because a peer has not seen it yet: that takes an intent we do not know. Of
    /// members that we do not know there is nothing to remember.
    pub fn left_at_peer(
        &mut self,
        now: Time,
        name: &str,
        last_intent: LamportTime,
        staying: bool,
    ) -> Outcome {
        let Some(record) = self.records.get_mut(name) else { return Outcome::Ignored };
        match record.member.status {
            MemberStatus::Left | MemberStatus::Leaving => {
                record.status_time = record.status_time.max(last_intent);
                Outcome::Ignored
            }
            MemberStatus::Failed => {
                let at = last_intent.max(record.status_time.next());
                self.leave_intent(now, name, at, false, staying)
            }
            MemberStatus::Alive => self.leave_intent(now, name, last_intent, false, staying),
        }
    }

    /// Forgets who has been gone for longer than `timeout` says, and who was to be pruned.
    pub fn reap(&mut self, now: Time, mut timeout: impl FnMut(&Member) -> Duration) -> Vec<Event> {
        let due: Vec<Arc<str>> = self
            .records
            .iter()
            .filter(|(name, record)| **name != self.local && record.is_due(now, &mut timeout))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        due.iter().filter_map(|name| self.forget(name)).collect()
    }

    /// When the next pruning is due.
    pub fn next_prune(&self) -> Option<Time> {
        self.prunes.iter().map(|(at, _)| *at).min()
    }

    /// Prunes who is due. A member that did not go in the time it had stays.
    pub fn prune(&mut self, now: Time) -> Vec<Event> {
        let due: Vec<(Time, Arc<str>)> = self.prunes.extract_if(.., |(at, _)| *at <= now).collect();
        let mut events = Vec::new();
        for (_, name) in due {
            if self.records.get(&name).is_some_and(Record::is_gone) {
                events.extend(self.forget(&name));
            }
        }
        events
    }

    /// Drops intents about names that never appeared.
    pub fn expire_intents(&mut self, now: Time, age: Duration) {
        self.recent.expire(now, age);
    }

    fn forget(&mut self, name: &str) -> Option<Event> {
        let record = self.records.remove(name)?;
        self.changed = true;
        Some(Event::Reaped(vec![record.member]))
    }
}

impl Record {
    fn is_gone(&self) -> bool {
        matches!(self.member.status, MemberStatus::Left | MemberStatus::Failed)
    }

    fn is_due(&self, now: Time, timeout: &mut impl FnMut(&Member) -> Duration) -> bool {
        self.is_gone() && now.since(self.gone_since) > timeout(&self.member)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::node::Versions;

    const LIMITS: RosterLimits = RosterLimits { intents_max: 16, prune_delay: Duration::from_secs(8) };

    fn node(name: &str) -> Node {
        Node {
            name: name.into(),
            addr: ([127, 0, 0, 1], 8301).into(),
            meta: Bytes::new(),
            versions: Versions::CURRENT,
        }
    }

    fn at(seconds: u64) -> Time {
        Time::new(Duration::from_secs(seconds))
    }

    fn roster_with(names: &[&str]) -> Roster {
        let mut roster = Roster::new("me".into(), LIMITS);
        roster.joined(&node("me"));
        for name in names {
            roster.joined(&node(name));
        }
        roster
    }

    fn status(roster: &Roster, name: &str) -> Option<MemberStatus> {
        roster.get(name).map(|member| member.status)
    }

    fn t(at: u64) -> LamportTime {
        LamportTime(at)
    }

    #[test]
    fn a_member_that_announced_its_going_has_left_and_one_that_did_not_has_failed() {
        let mut roster = roster_with(&["a", "b", "c"]);
        assert_eq!(roster.leave_intent(at(1), "a", t(5), false, true), Outcome::News(vec![]));
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Leaving));
        assert!(matches!(roster.departed(at(2), &node("a"), Departure::Failed), Some(Event::Left(_))));
        assert!(matches!(roster.departed(at(2), &node("b"), Departure::Failed), Some(Event::Failed(_))));
        assert!(matches!(roster.departed(at(2), &node("c"), Departure::Left), Some(Event::Left(_))));
        assert_eq!(roster.departed(at(3), &node("a"), Departure::Failed), None);
    }

    #[test]
    fn only_newer_intents_count() {
        let mut roster = roster_with(&["a"]);
        roster.leave_intent(at(1), "a", t(5), false, true);
        assert_eq!(roster.join_intent(at(1), "a", t(5)), Outcome::Ignored);
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Leaving));
        assert_eq!(roster.join_intent(at(1), "a", t(6)), Outcome::News(vec![]));
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Alive));
        assert_eq!(roster.leave_intent(at(1), "a", t(4), false, true), Outcome::Ignored);
    }

    #[test]
    fn an_operator_turns_failed_into_left() {
        let mut roster = roster_with(&["a"]);
        roster.departed(at(2), &node("a"), Departure::Failed);
        let Outcome::News(events) = roster.leave_intent(at(3), "a", t(5), false, true) else { panic!() };
        assert!(matches!(events.as_slice(), [Event::Left(_)]));
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Left));
    }

    #[test]
    fn pruning_forgets_a_failed_member_at_once_and_a_leaving_one_when_it_is_gone() {
        let mut roster = roster_with(&["a", "b", "c"]);
        roster.departed(at(2), &node("a"), Departure::Failed);
        let Outcome::News(events) = roster.leave_intent(at(3), "a", t(5), true, true) else { panic!() };
        assert!(matches!(events.as_slice(), [Event::Left(_), Event::Reaped(_)]));
        assert_eq!(status(&roster, "a"), None);

        roster.leave_intent(at(3), "b", t(6), true, true);
        roster.leave_intent(at(3), "c", t(7), true, true);
        roster.departed(at(4), &node("b"), Departure::Failed);
        assert_eq!(roster.next_prune(), Some(at(11)));
        assert_eq!(roster.prune(at(10)), vec![]);
        assert_eq!(roster.prune(at(11)).len(), 1);
        assert_eq!(status(&roster, "b"), None);
        assert_eq!(status(&roster, "c"), Some(MemberStatus::Leaving), "it never went");
        assert_eq!(roster.next_prune(), None);
    }

    #[test]
    fn what_is_said_of_our_own_leaving_is_refuted_unless_true() {
        let mut roster = roster_with(&[]);
        assert_eq!(roster.leave_intent(at(1), "me", t(9), false, true), Outcome::Refute);
        assert_eq!(status(&roster, "me"), Some(MemberStatus::Alive));
        assert_eq!(roster.leave_intent(at(1), "me", t(9), false, false), Outcome::News(vec![]));
        assert_eq!(status(&roster, "me"), Some(MemberStatus::Leaving));
    }

    #[test]
    fn an_intent_that_came_early_is_applied_when_its_member_appears() {
        let mut roster = roster_with(&[]);
        assert_eq!(roster.leave_intent(at(1), "a", t(5), false, true), Outcome::News(vec![]));
        assert_eq!(roster.leave_intent(at(1), "a", t(5), false, true), Outcome::Ignored);
        roster.joined(&node("a"));
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Leaving));
        roster.join_intent(at(1), "b", t(7));
        roster.joined(&node("b"));
        assert_eq!(roster.leave_intent(at(2), "b", t(7), false, true), Outcome::Ignored);
    }

    #[test]
    fn exchanges_between_members_that_agree_change_no_times() {
        let mut roster = roster_with(&["a"]);
        roster.leave_intent(at(1), "a", t(5), false, true);
        roster.departed(at(2), &node("a"), Departure::Failed);
        for _ in 0..10 {
            let (_, known) = roster.status_times().find(|(name, _)| *name == "a").unwrap();
            assert_eq!(roster.left_at_peer(at(3), "a", known, true), Outcome::Ignored);
            assert_eq!(known, t(5));
        }
    }

    #[test]
    fn a_peer_that_heard_the_goodbye_corrects_us() {
        let mut roster = roster_with(&["a"]);
        roster.departed(at(2), &node("a"), Departure::Failed);
        let Outcome::News(events) = roster.left_at_peer(at(3), "a", t(5), true) else { panic!() };
        assert!(matches!(events.as_slice(), [Event::Left(_)]));
    }

    #[test]
    fn a_member_that_is_back_is_not_leaving_because_a_peer_did_not_see_it_return() {
        let mut roster = roster_with(&["a"]);
        roster.leave_intent(at(1), "a", t(5), false, true);
        roster.departed(at(2), &node("a"), Departure::Failed);
        roster.joined(&node("a"));
        assert_eq!(roster.left_at_peer(at(3), "a", t(5), true), Outcome::Ignored);
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Alive));
        roster.left_at_peer(at(3), "a", t(8), true);
        assert_eq!(status(&roster, "a"), Some(MemberStatus::Leaving), "a goodbye we missed");
    }

    #[test]
    fn a_full_exchange_does_not_bring_back_who_was_forgotten() {
        let mut roster = roster_with(&["a"]);
        roster.departed(at(2), &node("a"), Departure::Failed);
        assert_eq!(roster.reap(at(100), |_| Duration::from_secs(60)).len(), 1);
        roster.join_intent(at(101), "a", t(900));
        roster.left_at_peer(at(101), "a", t(900), true);
        assert_eq!(status(&roster, "a"), None);
    }

    #[test]
    fn members_are_reaped_by_their_own_timeouts() {
        let mut roster = roster_with(&["failed", "left", "alive"]);
        roster.departed(at(0), &node("failed"), Departure::Failed);
        roster.departed(at(0), &node("left"), Departure::Left);
        let timeout = |member: &Member| {
            Duration::from_secs(if member.status == MemberStatus::Failed { 72 } else { 24 })
        };
        assert_eq!(roster.reap(at(24), timeout), vec![]);
        assert!(
            matches!(roster.reap(at(25), timeout).as_slice(), [Event::Reaped(who)] if &*who[0].name == "left")
        );
        assert!(
            matches!(roster.reap(at(73), timeout).as_slice(), [Event::Reaped(who)] if &*who[0].name == "failed")
        );
        assert_eq!(roster.len(), 2);
    }

    proptest! {
        #[test]
        fn the_time_of_a_members_last_intent_never_goes_back(
            steps in proptest::collection::vec((0u8..6, 0u64..20), 1..60),
        ) {
            let mut roster = roster_with(&["a"]);
            let mut last = LamportTime::default();
            for (second, (step, time)) in (0u64..).zip(steps) {
                let now = at(second);
                match step {
                    0 => { roster.join_intent(now, "a", t(time)); }
                    1 => { roster.leave_intent(now, "a", t(time), false, true); }
                    2 => { roster.left_at_peer(now, "a", t(time), true); }
                    3 => { roster.joined(&node("a")); }
                    4 => { roster.departed(now, &node("a"), Departure::Failed); }
                    _ => { roster.departed(now, &node("a"), Departure::Left); }
                }
                let (_, known) = roster.status_times().find(|(name, _)| *name == "a").unwrap();
                prop_assert!(known >= last);
                last = known;
            }
        }
    }
}
