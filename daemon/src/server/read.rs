//! Reads on a server: whose state may answer, and waiting for it.

use std::time::Instant;

use consul_acl::Authorizer;
use futures::future::BoxFuture;

use super::Server;
use super::metrics::{Present, SERVER};
use crate::limits::Access;
use crate::rpc::read::{self, Evaluated, Read};
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};

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
                let fresh = || self.check_fresh(options.consistency);
                {
                    let waiting: BoxFuture<'_, _> =
                        Box::pin(read::block(&self.store, request, options, authorizer, fresh));
                    waiting.await?
                }
            }
        };
        meta.known_leader = self.raft.knows_leader();
        meta.last_contact = self.raft.last_contact().unwrap_or_default();
        meta.consistency = options.consistency;
        Ok((meta, reply))
    }

    /// Whether this server may answer at all, and sees every acknowledged write where that is asked for. Costs a clock
    /// reading unless a quorum must be asked, which is boxed so that thousands of waiting reads hold no room for it.
    async fn ensure_fresh(&self, consistency: Consistency) -> Result<(), RpcError> {
        match consistency {
            Consistency::Consistent => {
                let confirmed: BoxFuture<'_, _> = Box::pin(self.confirm_leadership());
                confirmed.await
            }
            _ => self.check_fresh(consistency),
        }
    }

    fn check_fresh(&self, consistency: Consistency) -> Result<(), RpcError> {
        let may_answer = match consistency {
            Consistency::Stale { .. } => self.raft.has_caught_up(),
            Consistency::Default | Consistency::Consistent => self.raft.check_lease().is_ok(),
        };
        if may_answer { Ok(()) } else { Err(RpcError::NoLeader) }
    }

    async fn confirm_leadership(&self) -> Result<(), RpcError> {
        let started = Instant::now();
        let confirmed = self.raft.ensure_linearizable().await.map_err(|_| RpcError::NoLeader);
        SERVER.consistent_read.observe_since(started);
        confirmed
    }
}
