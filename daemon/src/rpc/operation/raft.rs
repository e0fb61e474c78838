//! The servers of the quorum, and changes of it.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::operator::{RaftConfiguration, RaftServer};
use consul_raft::{ServerId, ServerMetrics};
use consul_rpc::messages::operator::{
    RaftConfiguration as Listed, RaftRemovePeerRequest, TransferLeaderRequest, TransferLeaderResponse,
};
use consul_rpc::messages::{Nothing, encode};

use super::here;
use crate::agent::Agent;
use crate::rpc::operator::NodeNames;
use crate::rpc::path::{Need, Repeat};
use crate::rpc::remote::{Operation, whole, whole_datacenter, write_request};
use crate::rpc::write::require;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// What a server is called that the catalog does not know.
const UNKNOWN: &str = "(unknown)";
/// The version of raft's messages that clients expect of servers which have ids.
const PROTOCOL: &str = "3";

/// All servers of the quorum.
pub struct RaftServers;

impl Operation for RaftServers {
    type Reply = RaftConfiguration;

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, RaftConfiguration), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        let metrics = server.raft.metrics();
        let ids = metrics.servers.iter().map(|server| server.peer.id.to_string()).collect();
        let (_, names) = server.read(&NodeNames { ids }, options, &authorizer).await?;
        let newest = metrics.last_log_index;
        let listed = |known: &ServerMetrics| {
            let id = known.peer.id.to_string();
            RaftServer {
                node: names.get(&id).cloned().unwrap_or_else(|| UNKNOWN.to_owned()),
                id,
                address: known.peer.address.clone(),
                leader: known.leader,
                protocol_version: PROTOCOL.to_owned(),
                voter: known.voter,
                last_index: if known.leader { newest } else { known.matched_index.unwrap_or(0) },
            }
        };
        let servers = metrics.servers.iter().map(listed).collect();
        Ok((here(), RaftConfiguration { servers, index: 0 }))
    }

    fn method(&self) -> &'static str {
        "Operator.RaftGetConfiguration"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, RaftConfiguration), RpcError> {
        let Listed { servers, index } = whole(body)?;
        Ok((here(), RaftConfiguration { servers, index }))
    }
}

/// A server of the quorum, by what an operator knows of it.
pub enum PeerKey {
    Id(String),
    Address(String),
}

/// Takes a server out of the quorum.
pub struct RemovePeer(pub PeerKey);

impl Operation for RemovePeer {
    type Reply = ();

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotSent
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, ()), RpcError> {
        require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Write))?;
        let metrics = server.raft.metrics();
        let (what, wanted) = match &self.0 {
            PeerKey::Id(id) => ("id", id),
            PeerKey::Address(address) => ("address", address),
        };
        let is_meant = |known: &&ServerMetrics| match &self.0 {
            PeerKey::Id(id) => known.peer.id.to_string() == *id,
            PeerKey::Address(address) => known.peer.address == *address,
        };
        let Some(known) = metrics.servers.iter().find(is_meant) else {
            return Err(RpcError::refused(format!(
                "{what} {wanted:?} was not found in the Raft configuration"
            )));
        };
        server.raft.remove(known.peer.id).await.map_err(|error| RpcError::refused(error.to_string()))?;
        Ok((here(), ()))
    }

    fn method(&self) -> &'static str {
        match self.0 {
            PeerKey::Id(_) => "Operator.RaftRemovePeerByID",
            PeerKey::Address(_) => "Operator.RaftRemovePeerByAddress",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let (id, address) = match &self.0 {
            PeerKey::Id(id) => (id.clone(), String::new()),
            PeerKey::Address(address) => (String::new(), address.clone()),
        };
        let own = RaftRemovePeerRequest { datacenter: options.datacenter.clone(), address, id };
        encode(&own, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, ()), RpcError> {
        whole::<Nothing>(body).map(|_| (here(), ()))
    }
}

/// Has another server lead: the one with an id, or any.
pub struct TransferLeadership {
    pub to: Option<String>,
}

impl Operation for TransferLeadership {
    type Reply = ();

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotSent
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, ()), RpcError> {
        require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Write))?;
        let id = |text: &String| {
            text.parse::<ServerId>().map_err(|_| {
                RpcError::refused(format!("id {text:?} was not found in the Raft configuration"))
            })
        };
        let target = self.to.as_ref().map(id).transpose()?;
        server.raft.transfer(target).await.map_err(|error| RpcError::refused(error.to_string()))?;
        Ok((here(), ()))
    }

    fn method(&self) -> &'static str {
        "Operator.TransferLeader"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let id = self.to.clone().unwrap_or_default();
        let own = TransferLeaderRequest { datacenter: options.datacenter.clone(), id };
        encode(&own, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, ()), RpcError> {
        let TransferLeaderResponse { success } = whole(body)?;
        if success { Ok((here(), ())) } else { Err(RpcError::refused("leadership was not transferred")) }
    }
}
