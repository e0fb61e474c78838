//! Which servers make up the cluster, and who of them leads.

use std::time::Duration;

use openraft::ChangeMembers;
use openraft::error::{ClientWriteError, RaftError};
use tokio::time::Instant;

use crate::error::{MembershipError, ProposeError};
use crate::handle::RaftHandle;
use crate::machine::StateMachine;
use crate::transport::Method;
use crate::types::{Peer, ServerId};
use crate::wire;

/// A server that is this many entries behind counts as caught up; the rest follows in a moment.
const CAUGHT_UP: u64 = 100;

/// Pause between looks whether entries are decided.
const SETTLE_STEP: Duration = Duration::from_millis(1);

type Changes = ChangeMembers<ServerId, openraft::BasicNode>;

impl<S: StateMachine> RaftHandle<S> {
    /// Adds a server that receives the log but has no vote, or changes the address of a known one.
    pub async fn add_nonvoter(&self, server: &Peer) -> Result<(), MembershipError> {
        let known = self.address_of(server.id);
        let nodes = std::collections::BTreeMap::from([(server.id, server.node())]);
        match known {
            Some(address) if address == server.address => Ok(()),
            Some(_) => self.change(ChangeMembers::SetNodes(nodes), true).await,
            None => self.change(ChangeMembers::AddNodes(nodes), true).await,
        }
    }

    /// Gives a server a vote, once it has caught up with the log; `limit` is how long that may take.
    pub async fn add_voter(&self, server: &Peer, limit: Duration) -> Result<(), MembershipError> {
        self.add_nonvoter(server).await?;
        self.wait_until_caught_up(server.id, CAUGHT_UP, limit).await?;
        self.change(ChangeMembers::AddVoterIds([server.id].into()), true).await
    }

    /// Gives a vote to a server that has the log already.
    pub async fn promote(&self, server: ServerId) -> Result<(), MembershipError> {
        self.address_of(server).ok_or(MembershipError::Unknown(server))?;
        self.change(ChangeMembers::AddVoterIds([server].into()), true).await
    }

    /// Takes a server's vote but keeps sending it the log.
    pub async fn demote(&self, server: ServerId) -> Result<(), MembershipError> {
        self.address_of(server).ok_or(MembershipError::Unknown(server))?;
        self.change(ChangeMembers::RemoveVoters([server].into()), true).await
    }

    /// Removes a server.
    pub async fn remove(&self, server: ServerId) -> Result<(), MembershipError> {
        let metrics = self.metrics();
        let known = metrics.servers.iter().find(|known| known.peer.id == server);
        match known {
            None => Err(MembershipError::Unknown(server)),
            Some(known) if known.voter => {
                self.change(ChangeMembers::RemoveVoters([server].into()), false).await
            }
            Some(_) => self.change(ChangeMembers::RemoveNodes([server].into()), false).await,
        }
    }

    /// Makes another voter leader: `to`, or the one that has most of the log.
    pub async fn transfer(&self, to: Option<ServerId>) -> Result<(), MembershipError> {
        if !self.is_leader() {
            return Err(membership_error(self.not_leader()));
        }
        let target = self.successor(to)?;
        let limit = self.inner.timing.election_max * 5;
        // A voter with less of the log than others is not elected, so the log must stand still.
        let handing_over = HandingOver::start(self);
        let settled = tokio::time::timeout(limit, handing_over.settled()).await;
        settled.map_err(|_| MembershipError::Lagging(target.id))?;
        self.wait_until_caught_up(target.id, 0, limit).await?;
        // A target without the whole log would only disturb the others.
        if !self.is_leader() {
            return Err(membership_error(self.not_leader()));
        }
        handing_over.fall_silent();
        self.hand_over(&target, limit).await
    }

    fn successor(&self, to: Option<ServerId>) -> Result<Peer, MembershipError> {
        let me = self.inner.me;
        let servers = self.metrics().servers;
        let mut voters = servers.into_iter().filter(|server| server.voter && server.peer.id != me);
        match to {
            Some(to) => voters.find(|server| server.peer.id == to).ok_or(MembershipError::Unknown(to)),
            None => voters
                .max_by_key(|server| server.matched_index)
                .ok_or_else(|| MembershipError::Refused("there is no other voter to lead".to_owned())),
        }
        .map(|server| server.peer)
    }

    /// Asks the target to stand until somebody else leads. Voters refuse it at first, for as long
    /// as they trust our last heartbeat; asking again makes it stand the moment they do not, before
    /// another follower's own time is up.
    async fn hand_over(&self, target: &Peer, limit: Duration) -> Result<(), MembershipError> {
        let refused = |error: &dyn std::fmt::Display| MembershipError::Refused(error.to_string());
        let request = wire::encode_for(target.id, &()).map_err(|error| refused(&error))?;
        let (me, heartbeat) = (self.inner.me, self.inner.timing.heartbeat);
        let deadline = Instant::now() + limit;
        let mut leadership = self.watch_leadership();
        while Instant::now() < deadline {
            self.inner.contact.back_successor();
            let asked = self.inner.transport.call(target, Method::TakeLead, request.clone(), heartbeat);
            asked.await.map_err(|error| refused(&error))?;
            let elected =
                leadership.wait_for(|now| now.leader.as_ref().is_some_and(|leader| leader.id != me));
            match tokio::time::timeout(heartbeat, elected).await {
                Err(_) => continue,
                Ok(Err(_)) => return Err(MembershipError::Shutdown),
                Ok(Ok(now)) if now.leader.as_ref().is_some_and(|leader| leader.id == target.id) => {
                    return Ok(());
                }
                Ok(Ok(_)) => return Err(refused(&"another server was elected")),
            }
        }
        Err(MembershipError::Lagging(target.id))
    }

    fn address_of(&self, server: ServerId) -> Option<String> {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow();
        metrics.membership_config.membership().get_node(&server).map(|node| node.addr.clone())
    }

    async fn wait_until_caught_up(
        &self,
        server: ServerId,
        behind: u64,
        limit: Duration,
    ) -> Result<(), MembershipError> {
        let deadline = Instant::now() + limit;
        let mut metrics = self.inner.raft.metrics();
        let caught_up = metrics.wait_for(|metrics| {
            let matched = metrics.replication.as_ref().and_then(|matched| *matched.get(&server)?);
            let last = metrics.last_log_index.unwrap_or(0);
            // Without replication this is not the leader any more; the next step says so.
            metrics.replication.is_none()
                || matched.is_some_and(|matched| matched.index.saturating_add(behind) >= last)
        });
        match tokio::time::timeout_at(deadline, caught_up).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(MembershipError::Shutdown),
            Err(_) => Err(MembershipError::Lagging(server)),
        }
    }

    async fn change(&self, changes: Changes, retain: bool) -> Result<(), MembershipError> {
        match self.inner.raft.change_membership(changes, retain).await {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(_)) => Err(MembershipError::Shutdown),
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Err(membership_error(self.not_leader()))
            }
            Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                Err(MembershipError::Refused(error.to_string()))
            }
        }
    }
}

/// While it lives, commands wait.
struct HandingOver<'a, S: StateMachine>(&'a RaftHandle<S>);

impl<'a, S: StateMachine> HandingOver<'a, S> {
    fn start(raft: &'a RaftHandle<S>) -> Self {
        raft.inner.proposer.hold();
        Self(raft)
    }

    /// Waits until everything that was sent to the log is decided: whoever is told afterwards that its fate is unknown
    /// cannot try again.
    async fn settled(&self) {
        while self.0.inner.proposer.has_open_entries() {
            tokio::time::sleep(SETTLE_STEP).await;
        }
    }

    /// Sends no more heartbeats: followers elect nobody while they hear from this leader. They also
    /// carry what a follower lacks, so it must have all before.
    fn fall_silent(&self) {
        self.0.inner.raft.runtime_config().heartbeat(false);
    }
}

impl<S: StateMachine> Drop for HandingOver<'_, S> {
    fn drop(&mut self) {
        self.0.inner.raft.runtime_config().heartbeat(true);
        self.0.inner.proposer.release();
    }
}

fn membership_error(error: ProposeError) -> MembershipError {
    match error {
        ProposeError::ForwardTo(leader) => MembershipError::ForwardTo(leader),
        ProposeError::Shutdown => MembershipError::Shutdown,
        ProposeError::NoLeader | ProposeError::LeadershipLost | ProposeError::TooLarge { .. } => {
            MembershipError::NoLeader
        }
    }
}
