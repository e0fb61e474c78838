//! Whether this server may answer reads and take commands as leader right now.
//!
//! Followers refuse to elect anybody for `election_max` after they heard from their leader. A
//! leader may therefore trust its leadership for that long after it *sent* the latest request that
//! a quorum accepted. openraft tracks this inside its core; reads are too many to ask it each time,
//! so the same rule is kept here behind two atomics. Vote changes arrive from the log store before
//! they are answered to anybody, so a lease never outlives the vote it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::types::{LeaderId, Membership, ServerId, Vote};

/// Nanoseconds after `base`; a lone voter's lease never ends.
const FOREVER: u64 = u64::MAX;

pub(crate) struct Lease {
    me: ServerId,
    /// Shorter than the time followers wait, to allow for clocks that run at different rates.
    term: Duration,
    base: Instant,
    until: AtomicU64,
    leader: AtomicBool,
    /// Whether an entry of the present term was applied, and with it all that earlier leaders committed.
    ready: AtomicBool,
    /// Whether that was so in some term since the start.
    was_ready: AtomicBool,
    /// When this server was elected, in nanoseconds after `base`.
    elected: AtomicU64,
    /// The last entry in the log when the process started. Until it is applied, a restarted leader
    /// may have acknowledged more than the state shows.
    floor: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    vote: Vote,
    /// One set of voters, or two while the membership changes.
    voters: Vec<BTreeSet<ServerId>>,
    /// When the latest request that a voter accepted was sent.
    acks: BTreeMap<ServerId, u64>,
}

impl Lease {
    pub fn new(me: ServerId, election_max: Duration) -> Self {
        Self {
            me,
            term: election_max.mul_f64(0.9),
            base: Instant::now(),
            until: AtomicU64::new(0),
            leader: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            was_ready: AtomicBool::new(false),
            elected: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            inner: Mutex::default(),
        }
    }

    pub fn me(&self) -> ServerId {
        self.me
    }

    /// A vote is about to be saved, or was read at start.
    pub fn on_vote(&self, vote: &Vote) {
        let mut inner = self.inner.lock();
        if inner.vote == *vote {
            return;
        }
        inner.vote = *vote;
        inner.acks.clear();
        self.ready.store(false, Ordering::Release);
        self.elected.store(self.now(), Ordering::Release);
        self.leader.store(vote.committed && vote.leader_id.node_id == self.me, Ordering::Release);
        self.renew(&inner);
    }

    /// A membership takes effect when it is appended, before it is committed.
    pub fn on_membership(&self, membership: &Membership) {
        let mut inner = self.inner.lock();
        inner.voters = membership.get_joint_config().clone();
        self.renew(&inner);
    }

    /// A peer accepted a request that we sent under `vote` at `sent`.
    pub fn on_ack(&self, peer: ServerId, vote: &Vote, sent: Instant) {
        let mut inner = self.inner.lock();
        if inner.vote != *vote {
            return;
        }
        let sent = nanos(sent.saturating_duration_since(self.base));
        let latest = inner.acks.entry(peer).or_default();
        *latest = sent.max(*latest);
        self.renew(&inner);
    }

    /// The log ends with this entry at start.
    pub fn on_start(&self, last: Option<u64>) {
        self.floor.store(last.unwrap_or(0), Ordering::Release);
    }

    /// The entry at `index`, proposed by `leader`, was applied.
    pub fn on_applied(&self, index: u64, leader: &LeaderId) {
        if self.ready.load(Ordering::Relaxed) || index < self.floor.load(Ordering::Relaxed) {
            return;
        }
        let inner = self.inner.lock();
        if inner.vote.committed && inner.vote.leader_id == *leader && leader.node_id == self.me {
            self.was_ready.store(true, Ordering::Release);
            self.ready.store(true, Ordering::Release);
        }
    }

    /// Whether this server was elected and has not seen a later vote. It may have lost its quorum.
    pub fn is_leader(&self) -> bool {
        self.leader.load(Ordering::Acquire)
    }

    /// Whether nobody else can be leader now.
    pub fn holds(&self) -> bool {
        let until = self.until.load(Ordering::Acquire);
        self.is_leader() && (until == FOREVER || until > self.now())
    }

    /// Whether a command has a chance: there is a quorum, or was no time yet to hear from one.
    pub fn may_propose(&self) -> bool {
        let grace = self.elected.load(Ordering::Acquire).saturating_add(nanos(self.term));
        self.holds() || (self.is_leader() && self.now() < grace)
    }

    /// Whether a read answered now misses no acknowledged write.
    pub fn may_read(&self) -> bool {
        self.ready.load(Ordering::Acquire) && self.holds()
    }

    /// Whether this server was fit to lead at some time since its start: it then had all that was committed before.
    pub fn was_ready(&self) -> bool {
        self.was_ready.load(Ordering::Acquire)
    }

    /// The term that this server leads.
    pub fn led_term(&self) -> Option<u64> {
        let vote = self.inner.lock().vote;
        (vote.committed && vote.leader_id.node_id == self.me).then_some(vote.leader_id.term)
    }

    /// Whether this server is the only voter.
    pub fn is_alone(&self) -> bool {
        self.alone(&self.inner.lock())
    }

    fn now(&self) -> u64 {
        nanos(self.base.elapsed())
    }

    fn alone(&self, inner: &Inner) -> bool {
        !inner.voters.is_empty() && inner.voters.iter().all(|set| set.len() == 1 && set.contains(&self.me))
    }

    fn renew(&self, inner: &Inner) {
        let until = match (self.is_leader(), self.alone(inner)) {
            (false, _) => 0,
            (true, true) => FOREVER,
            (true, false) => match self.quorum_acked(inner) {
                0 => 0,
                acked => acked.saturating_add(nanos(self.term)),
            },
        };
        self.until.store(until, Ordering::Release);
    }

    /// The latest time such that a quorum of every voter set accepted a request sent then or later.
    fn quorum_acked(&self, inner: &Inner) -> u64 {
        let of_set = |set: &BTreeSet<ServerId>| {
            let mut acks: Vec<u64> = set
                .iter()
                .map(|voter| match inner.acks.get(voter) {
                    _ if *voter == self.me => FOREVER,
                    Some(sent) => *sent,
                    None => 0,
                })
                .collect();
            acks.sort_unstable_by(|a, b| b.cmp(a));
            acks.get(set.len() / 2).copied().unwrap_or(0)
        };
        inner.voters.iter().map(of_set).min().unwrap_or(0)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use openraft::BasicNode;

    use super::*;

    const A: ServerId = ServerId::from_u128(1);
    const B: ServerId = ServerId::from_u128(2);
    const C: ServerId = ServerId::from_u128(3);
    const LONG: Duration = Duration::from_secs(3600);

    fn members(voters: &[ServerId]) -> Membership {
        let nodes: BTreeMap<_, _> = voters.iter().map(|id| (*id, BasicNode::default())).collect();
        Membership::new(vec![voters.iter().copied().collect()], nodes)
    }

    fn elected(voters: &[ServerId], election_max: Duration) -> (Lease, Vote) {
        let lease = Lease::new(A, election_max);
        lease.on_membership(&members(voters));
        let vote = Vote::new_committed(1, A);
        lease.on_vote(&vote);
        (lease, vote)
    }

    #[test]
    fn a_lone_voter_needs_nobody() {
        let (lease, _) = elected(&[A], LONG);
        assert!(lease.holds());
        assert!(!lease.may_read(), "nothing of its term is applied yet");
        lease.on_start(Some(7));
        lease.on_applied(6, &LeaderId::new(1, A));
        assert!(!lease.may_read(), "an entry of before the restart is missing");
        lease.on_applied(7, &LeaderId::new(1, A));
        assert!(lease.may_read());
    }

    #[test]
    fn a_second_voter_ends_the_endless_lease() {
        let (lease, _) = elected(&[A], LONG);
        lease.on_membership(&members(&[A, B]));
        assert!(!lease.holds());
    }

    #[test]
    fn a_quorum_of_acks_makes_a_lease_and_time_ends_it() {
        let (lease, vote) = elected(&[A, B, C], LONG);
        assert!(!lease.holds());
        lease.on_ack(B, &vote, Instant::now());
        assert!(lease.holds());

        let (lease, vote) = elected(&[A, B, C], Duration::from_nanos(1));
        let sent = Instant::now();
        lease.on_ack(B, &vote, sent);
        assert!(!lease.holds());
    }

    #[test]
    fn acks_of_an_earlier_vote_count_for_nothing() {
        let (lease, old) = elected(&[A, B, C], LONG);
        lease.on_vote(&Vote::new_committed(2, A));
        lease.on_ack(B, &old, Instant::now());
        assert!(!lease.holds());
    }

    #[test]
    fn a_later_vote_of_another_server_ends_the_lease_at_once() {
        let (lease, vote) = elected(&[A, B, C], LONG);
        lease.on_ack(C, &vote, Instant::now());
        lease.on_vote(&Vote::new(2, B));
        assert!(!lease.holds());
        assert!(!lease.is_leader());
    }

    #[test]
    fn a_membership_change_needs_both_quorums() {
        let (lease, vote) = elected(&[A, B, C], LONG);
        let joint = Membership::new(
            vec![[A, B, C].into(), [B, C].into()],
            [A, B, C].map(|id| (id, BasicNode::default())).into_iter().collect::<BTreeMap<_, _>>(),
        );
        lease.on_membership(&joint);
        lease.on_ack(B, &vote, Instant::now());
        assert!(!lease.holds());
        lease.on_ack(C, &vote, Instant::now());
        assert!(lease.holds());
    }
}
