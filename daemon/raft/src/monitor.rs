//! The one task of this crate: watches openraft and does what must happen beside it.
//!
//! It tells who leads, answers proposals whose entries were lost, starts snapshots when enough was
//! applied, and removes what they made superfluous. Nothing on the path of a write waits for it.

use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;
use openraft::metrics::RaftServerMetrics;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::applier::Progress;
use crate::config::SnapshotPolicy;
use crate::contact::Contact;
use crate::error::ProposeError;
use crate::lease::Lease;
use crate::log::Log;
use crate::proposer::Proposer;
use crate::snapshot::SnapshotStore;
use crate::types::{LogId, OpenRaft, Peer, ServerId};

/// What this server does in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Leader,
    Candidate,
    Follower,
    /// Receives the log but has no vote, or is not part of a cluster yet.
    NonVoter,
    /// Consensus ended here: by `shutdown`, or because storage failed.
    Stopped,
}

/// Who leads, as far as this server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    pub term: u64,
    pub role: Role,
    /// Nobody, while there is no contact: a follower that hears nothing, a leader without a quorum.
    pub leader: Option<Peer>,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Leader => "Leader",
            Self::Candidate => "Candidate",
            Self::Follower => "Follower",
            Self::NonVoter => "Nonvoter",
            Self::Stopped => "Shutdown",
        })
    }
}

type ServerMetrics = RaftServerMetrics<ServerId, openraft::BasicNode>;

impl Leadership {
    pub(crate) fn from_metrics(metrics: &ServerMetrics) -> Self {
        let leader = metrics.current_leader.and_then(|id| {
            let node = metrics.membership_config.membership().get_node(&id)?;
            Some(Peer::new(id, node))
        });
        Self { term: metrics.vote.leader_id.term, role: Role::from(metrics.state), leader }
    }
}

impl From<ServerState> for Role {
    fn from(state: ServerState) -> Self {
        match state {
            ServerState::Leader => Self::Leader,
            ServerState::Candidate => Self::Candidate,
            ServerState::Follower => Self::Follower,
            ServerState::Learner => Self::NonVoter,
            ServerState::Shutdown => Self::Stopped,
        }
    }
}

/// How often to look for the fate of entries after leadership was lost.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);
/// Entries of a former leader may stay open until the next leader decides; their proposers are not
/// kept waiting for longer than this.
const SWEEP_LIMIT: Duration = Duration::from_secs(1);
/// How long openraft may take to take note of a snapshot that it had built.
const NOTE_LIMIT: Duration = Duration::from_secs(10);

pub(crate) struct Monitor<O> {
    pub raft: OpenRaft,
    pub log: Log,
    pub lease: Arc<Lease>,
    pub proposer: Arc<Proposer<O>>,
    pub progress: Arc<Progress>,
    pub snapshots: Arc<SnapshotStore>,
    pub policy: Arc<Mutex<SnapshotPolicy>>,
    pub leadership: watch::Sender<Leadership>,
    pub contact: Arc<Contact>,
    /// The leader that the log was told of last.
    pub announced: Option<(u64, ServerId)>,
    pub stop: watch::Receiver<bool>,
    /// How often to look whether a leader still has its quorum.
    pub quorum_check: Duration,
}

impl<O: Send + 'static> Monitor<O> {
    pub async fn run(mut self) {
        let mut changes = self.raft.server_metrics();
        let mut quorum_check = tokio::time::interval(self.quorum_check);
        // While set, entries of a lost leadership are open.
        let mut sweeping: Option<Instant> = None;
        let (mut snapshot_at, mut last_snapshot): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            tokio::select! {
                biased;
                _ = self.stop.changed() => break,
                () = tokio::time::sleep(SWEEP_PAUSE), if sweeping.is_some() => self.sweep(&mut sweeping),
                changed = changes.changed() => {
                    let metrics = changes.borrow_and_update().clone();
                    self.publish(&metrics);
                    if changed.is_err() {
                        break;
                    }
                    self.sweep(&mut sweeping);
                }
                () = self.contact.regained.notified() => self.publish_now(),
                () = self.proposer.doubt.notified() => self.sweep(&mut sweeping),
                () = self.progress.snapshot_due.notified() => {
                    let pause = self.policy.lock().interval;
                    let earliest = last_snapshot.map(|last| last + pause);
                    snapshot_at = earliest.max(Some(Instant::now()));
                }
                () = until(snapshot_at), if snapshot_at.is_some() => {
                    (snapshot_at, last_snapshot) = (None, Some(Instant::now()));
                    self.start_snapshot().await;
                }
                () = self.progress.snapshot_built.notified() => self.compact().await,
                _ = quorum_check.tick(), if !self.lease.is_alone() => {
                    self.check_quorum();
                    self.publish_now();
                }
            }
        }
        self.proposer.close();
        let term = self.leadership.borrow().term;
        self.leadership.send_replace(Leadership { term, role: Role::Stopped, leader: None });
    }

    fn publish_now(&mut self) {
        let metrics = self.raft.server_metrics().borrow().clone();
        self.publish(&metrics);
    }

    fn publish(&mut self, metrics: &ServerMetrics) {
        let mut leadership = Leadership::from_metrics(metrics);
        if !self.is_in_touch() {
            leadership.leader = None;
        }
        let before = self.leadership.borrow().clone();
        if before != leadership {
            self.log_change(&before, &leadership);
            self.leadership.send_replace(leadership);
        }
    }

    /// Whether the leader is known to lead: by its requests, or by the answers to ours.
    fn is_in_touch(&self) -> bool {
        if self.lease.is_leader() { self.lease.may_propose() } else { self.contact.is_in_touch() }
    }

    /// Says what an operator searches the log for: who leads now, and since when.
    fn log_change(&mut self, before: &Leadership, now: &Leadership) {
        const LOG: &str = "agent.server.raft";
        if before.role != now.role {
            info!(target: LOG, state = %now.role, term = now.term, "entering state");
        }
        match &now.leader {
            Some(leader) if self.announced != Some((now.term, leader.id)) => {
                self.announced = Some((now.term, leader.id));
                info!(target: "agent.server", leader = %leader.id, address = %leader.address, "New leader elected");
            }
            Some(leader) if before.leader.is_none() => {
                info!(target: LOG, leader = %leader.id, "the leader is in touch again");
            }
            None if before.leader.is_some() => {
                info!(target: LOG, term = now.term, "the cluster has no leader");
            }
            _ => {}
        }
    }

    /// Answers lost entries. openraft tells of them a moment after it gave up leadership.
    fn sweep(&self, sweeping: &mut Option<Instant>) {
        let leadership = self.leadership.borrow().clone();
        let open = self.proposer.sweep(|| not_leader(&leadership));
        if !open || self.lease.is_leader() {
            *sweeping = None;
        } else if sweeping.get_or_insert_with(Instant::now).elapsed() > SWEEP_LIMIT {
            self.proposer.give_up(&ProposeError::LeadershipLost, &ProposeError::NoLeader);
            *sweeping = None;
        }
    }

    fn check_quorum(&self) {
        if self.lease.is_leader() && !self.lease.may_propose() && self.proposer.has_open_entries() {
            warn!("the quorum is lost; commands in flight are given up");
            self.proposer.give_up(&ProposeError::LeadershipLost, &ProposeError::NoLeader);
        }
    }

    async fn start_snapshot(&self) {
        if let Err(error) = self.raft.trigger().snapshot().await {
            warn!(%error, "could not start a raft snapshot");
        }
    }

    /// Lets go of entries that the newest snapshot covers, but for those that followers may need.
    async fn compact(&self) {
        let Some(covered) = self.snapshots.current().and_then(|snapshot| snapshot.meta.last_log_id) else {
            return;
        };
        // openraft purges nothing beyond the snapshots that it knows.
        let wait = self.raft.wait(Some(NOTE_LIMIT));
        if let Err(error) = wait.metrics(|metrics| metrics.snapshot >= Some(covered), "snapshot").await {
            return warn!(%error, "a raft snapshot was not taken note of");
        }
        let SnapshotPolicy { trailing_entries, trailing_bytes, .. } = *self.policy.lock();
        let upto = match self.log.purge_point(covered.index, trailing_entries, trailing_bytes).await {
            Ok(Some(upto)) => upto,
            Ok(None) => return,
            Err(error) => return warn!(%error, "could not measure the raft log"),
        };
        if let Err(error) = self.raft.trigger().purge_log(upto).await {
            return warn!(%error, "could not purge the raft log");
        }
        let is_purged = |purged: Option<LogId>| purged.is_some_and(|purged| purged.index >= upto);
        // Late only while a follower still reads those entries; the next snapshot tries again.
        if wait.metrics(|metrics| is_purged(metrics.purged), "purge").await.is_ok()
            && let Err(error) = self.log.collect_garbage().await
        {
            warn!(%error, "could not remove purged entries from the raft log");
        }
    }
}

async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// What to tell somebody who needs the leader.
pub(crate) fn not_leader(known: &Leadership) -> ProposeError {
    match (&known.leader, known.role) {
        (_, Role::Stopped) => ProposeError::Shutdown,
        // Openraft's view of itself lags behind the lease, or the quorum is lost.
        (_, Role::Leader) | (None, _) => ProposeError::NoLeader,
        (Some(leader), _) => ProposeError::ForwardTo(leader.clone()),
    }
}
