//! Writes on a server: prepared by the leader, committed by the log, answered from what applying them did.

use std::time::Instant;

use bytes::Bytes;
use consul_raft::ProposeError;
use consul_state::{Command, Outcome};

use super::Server;
use super::metrics::SERVER;
use crate::limits::Access;
use crate::rpc::RpcError;
use crate::rpc::write::{LeaderView, Step, Write};

impl Server {
    pub async fn write<W: Write>(&self, request: W) -> Result<W::Reply, RpcError> {
        if !self.limits.admits(Access::Write, Instant::now) {
            // Another server could not help: only the leader writes.
            return Err(if self.raft.is_leader() {
                RpcError::WriteRateLimited
            } else {
                RpcError::RateLimited
            });
        }
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
            Step::Propose(command) => {
                let started = Instant::now();
                let outcome = self.propose(&command).await;
                if let Some(sample) = SERVER.request(&command) {
                    sample.observe_since(started);
                }
                W::conclude(outcome?)
            }
        }
    }

    /// Commits one command.
    pub async fn propose(&self, command: &Command) -> Result<Outcome, RpcError> {
        let mut encoded = Vec::with_capacity(256);
        command.encode(&mut encoded);
        let started = Instant::now();
        let outcome = self.raft.propose(Bytes::from(encoded)).await.map_err(refusal)?;
        SERVER.proposed.incr();
        SERVER.commit_time.observe_since(started);
        Ok(outcome)
    }
}

/// Nothing was written where the answer is that there is no leader, so that trying again cannot write twice.
fn refusal(error: ProposeError) -> RpcError {
    match error {
        ProposeError::NoLeader | ProposeError::ForwardTo(_) => RpcError::NoLeader,
        other => RpcError::refused(other.to_string()),
    }
}
