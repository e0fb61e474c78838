//! Which server leads, and which servers there are.

use std::sync::Arc;

use consul_rpc::messages::operator::RaftStats;

use super::here;
use crate::agent::Agent;
use crate::rpc::path::Need;
use crate::rpc::remote::{Operation, whole, whole_datacenter};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Address of the leader; empty if there is none.
pub struct LeaderAddress;

/// Addresses of all servers of the quorum.
pub struct PeerAddresses;

impl Operation for LeaderAddress {
    type Reply = String;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    async fn perform(
        &self,
        _: &Arc<Agent>,
        server: &Arc<Server>,
        _: &ReadOptions,
    ) -> Result<(ReadMeta, String), RpcError> {
        Ok((here(), server.raft.leader().map(|leader| leader.address).unwrap_or_default()))
    }

    fn method(&self) -> &'static str {
        "Status.Leader"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, String), RpcError> {
        Ok((here(), whole(body)?))
    }
}

impl Operation for PeerAddresses {
    type Reply = Vec<String>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    async fn perform(
        &self,
        _: &Arc<Agent>,
        server: &Arc<Server>,
        _: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let servers = server.raft.metrics().servers;
        Ok((here(), servers.into_iter().map(|member| member.peer.address).collect()))
    }

    fn method(&self) -> &'static str {
        "Status.Peers"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        Ok((here(), whole(body)?))
    }
}

/// How far this server's log has come.
pub fn raft_stats(server: &Server) -> RaftStats {
    let metrics = server.raft.metrics();
    let last_contact = match metrics.last_contact {
        _ if server.raft.is_leader() => "0".to_owned(),
        Some(since) => consul_api::types::duration::GoDuration::from(since).to_string(),
        None => "never".to_owned(),
    };
    RaftStats { last_contact, last_index: metrics.last_log_index, last_term: metrics.last_log_term }
}
