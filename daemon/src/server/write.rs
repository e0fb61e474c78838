//! Writes on a server: prepared by the leader, committed by the log, answered from what applying them did.

use std::time::{Duration, Instant};

use bytes::Bytes;
use consul_raft::ProposeError;
use consul_state::{Command, Outcome};
use tokio::time::sleep;

use super::Server;
use super::metrics::SERVER;
use crate::limits::Access;
use crate::rpc::RpcError;
use crate::rpc::write::{LeaderView, Step, Write};

/// Pause before a write that found no leader is tried again.
const RETRY: Duration = Duration::from_millis(20);

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

    /// Commits one command. A server that has just started waits a while for its election.
    pub async fn propose(&self, command: &Command) -> Result<Outcome, RpcError> {
        let mut encoded = Vec::with_capacity(256);
        command.encode(&mut encoded);
        let encoded = Bytes::from(encoded);
        let deadline = Instant::now() + self.hold.0;
        loop {
            let started = Instant::now();
            match self.raft.propose(encoded.clone()).await {
                Ok(outcome) => {
                    SERVER.proposed.incr();
                    SERVER.commit_time.observe_since(started);
                    return Ok(outcome);
                }
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
