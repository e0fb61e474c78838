//! Reads on a server: whose state may answer, and waiting for it.

use std::time::{Duration, Instant};

use consul_acl::Authorizer;
use tokio::time::sleep;

use super::Server;
use super::metrics::{Present, SERVER};
use crate::limits::Access;
use crate::rpc::read::{self, Evaluated, Read};
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};

/// Pause between two looks for a leader.
const LEADER_POLL: Duration = Duration::from_millis(20);

impl Server {
    /// Answers `request` from this server's state, as fresh as `options` ask.
    pub async fn read<R: Read>(
        &self,
        request: &R,
        options: &ReadOptions,
        authorizer: &Authorizer,
    ) -> Result<(ReadMeta, R::Reply), RpcError> {
        if !self.limits.admits(Access::Read, Instant::now) {
            return Err(RpcError::RateLimited);
        }
        SERVER.queries.incr();
        self.ensure_fresh(options.consistency).await?;
        let (mut meta, reply) = match read::evaluate(&self.store, request, options, authorizer)? {
            Evaluated::Answer { index, reply, filtered } => {
                (ReadMeta { index, filtered_by_acls: filtered, ..ReadMeta::default() }, reply)
            }
            Evaluated::NotYet { .. } => {
                let _waiting = Present::new(&self.blocking);
                Box::pin(read::block(&self.store, request, options, authorizer)).await?
            }
        };
        meta.known_leader = self.raft.leader().is_some();
        meta.last_contact = self.raft.last_contact().unwrap_or_default();
        meta.consistency = options.consistency;
        Ok((meta, reply))
    }

    /// Costs a clock reading where this server may answer at once. What takes longer is boxed, so that thousands of
    /// waiting reads do not each hold room for it.
    async fn ensure_fresh(&self, consistency: Consistency) -> Result<(), RpcError> {
        match consistency {
            Consistency::Default if self.raft.check_lease().is_ok() => Ok(()),
            Consistency::Stale { .. } if self.raft.leader().is_some() => Ok(()),
            Consistency::Default | Consistency::Stale { .. } => Box::pin(self.await_leadership()).await,
            Consistency::Consistent => Box::pin(self.confirm_leadership()).await,
        }
    }

    async fn confirm_leadership(&self) -> Result<(), RpcError> {
        self.await_leadership().await?;
        let started = Instant::now();
        let confirmed = self.raft.ensure_linearizable().await.map_err(|_| RpcError::NoLeader);
        SERVER.consistent_read.observe_since(started);
        confirmed
    }

    /// Waits a while for this server to lead, which a new one needs a moment for.
    async fn await_leadership(&self) -> Result<(), RpcError> {
        let deadline = Instant::now() + self.hold.0;
        while self.raft.check_lease().is_err() {
            if Instant::now() >= deadline {
                return Err(RpcError::NoLeader);
            }
            sleep(LEADER_POLL).await;
        }
        Ok(())
    }
}
