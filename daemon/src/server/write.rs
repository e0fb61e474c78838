//! Writes on a server: prepared by the leader, committed by the log, answered from what applying them did.

use std::time::{Duration, Instant};

use bytes::Bytes;
use consul_raft::ProposeError;
use consul_state::{Command, Outcome};
use tokio::time::sleep;

use super::Server;
use crate::rpc::RpcError;
use crate::rpc::write::{LeaderView, Step, Write};

/// Pause before a write that found no leader is tried again.
const RETRY: Duration = Duration::from_millis(20);

impl Server {
    pub async fn write<W: Write>(&self, request: W) -> Result<W::Reply, RpcError> {
        let step = {
            let version = self.store.version();
            let leader = LeaderView {
                version: &version,
                lock_delays: &self.leader.lock_delays,
                now: Instant::now(),
                datacenter: &self.datacenter,
                session_ttl_min: self.session_ttl_min,
            };
            request.prepare(&leader)?
        };
        match step {
            Step::Done(reply) => Ok(reply),
            Step::Propose(command) => W::conclude(self.propose(&command).await?),
        }
    }

    /// Commits one command. A server that has just started waits a while for its election.
    pub async fn propose(&self, command: &Command) -> Result<Outcome, RpcError> {
        let mut encoded = Vec::with_capacity(256);
        command.encode(&mut encoded);
        let encoded = Bytes::from(encoded);
        let deadline = Instant::now() + self.hold.0;
        loop {
            match self.raft.propose(encoded.clone()).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) if is_leaderless(&error) && Instant::now() < deadline => sleep(RETRY).await,
                Err(error) => return Err(refusal(error)),
            }
        }
    }
}

/// Nothing was proposed because there is no leader yet: trying again cannot write twice.
fn is_leaderless(error: &ProposeError) -> bool {
    matches!(error, ProposeError::NoLeader)
}

fn refusal(error: ProposeError) -> RpcError {
    match error {
        ProposeError::NoLeader => RpcError::NoLeader,
        other => RpcError::refused(other.to_string()),
    }
}
