//! The members that gossip knows, as the leader keeps the catalog and the quorum in line with them.

use std::sync::Arc;

use async_trait::async_trait;
use consul_gossip::serf::{Member, MemberStatus};
use consul_raft::autopilot::{Stats, Status};
use tokio::sync::watch;
use tracing::{info, warn};

use super::census::{self, Kind};
use super::gossip::{Gossip, api_member};
use super::{ServerInfo, Servers};
use crate::leader::members::{KnownServer, Members};
use crate::rpc::RpcError;
use crate::server::Server;

pub struct GossipMembers {
    gossip: Arc<Gossip>,
    servers: Arc<Servers>,
    node_name: String,
}

fn status_of(status: MemberStatus) -> Status {
    match status {
        MemberStatus::Alive => Status::Alive,
        MemberStatus::Leaving => Status::Leaving,
        MemberStatus::Left => Status::Left,
        MemberStatus::Failed => Status::Failed,
    }
}

impl GossipMembers {
    pub fn new(gossip: Arc<Gossip>, servers: Arc<Servers>, node_name: &str) -> Self {
        Self { gossip, servers, node_name: node_name.to_owned() }
    }

    async fn update_catalog(&self, server: &Server) -> Result<(), RpcError> {
        let members: Vec<_> = self.gossip.lan.members().iter().map(api_member).collect();
        let version = server.store.version();
        for change in census::compare(&self.node_name, &server.datacenter, &members, &version) {
            let member = change.member.as_str();
            match change.kind {
                Kind::Joined => info!(target: "agent.server", member, "member joined, marking health alive"),
                Kind::Failed => {
                    info!(target: "agent.server", member, "member failed, marking health critical")
                }
                Kind::Left => {
                    info!(target: "agent.server", member, reason = "left", "deregistering member")
                }
                Kind::Reaped => {
                    info!(target: "agent.server", member, reason = "reaped", "deregistering member")
                }
            }
            if let Some(node) = &change.node {
                // Refused where the node's own agent was faster.
                let _ = server.propose(node).await?.reply;
            }
            // One member that the catalog refuses (a name that belongs to another id) must not keep out the rest.
            if let Err(reason) = server.propose(&change.command).await?.reply {
                warn!(target: "agent.server", member, error = %reason, "the catalog refused a member");
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Members for GossipMembers {
    async fn reconcile(&self, server: &Server) -> Result<(), RpcError> {
        self.update_catalog(server).await
    }

    fn watch(&self) -> watch::Receiver<Arc<[Member]>> {
        self.gossip.lan.watch_members()
    }

    fn servers(&self, datacenter: &str) -> Vec<KnownServer> {
        let known = |member: &Member| {
            let info = ServerInfo::of(&api_member(member)).filter(|info| info.datacenter == datacenter)?;
            Some(KnownServer { info, status: status_of(member.status) })
        };
        self.gossip.lan.members().iter().filter_map(known).collect()
    }

    async fn stats_of(&self, server: &ServerInfo) -> Option<Stats> {
        self.servers.stats_of(server).await.ok()
    }

    async fn peers_of(&self, server: &ServerInfo) -> Result<Vec<String>, String> {
        self.servers.peers_of(server).await
    }

    async fn announce_leader(&self) {
        if let Err(error) =
            self.gossip.lan.user_event(super::event::NEW_LEADER, self.node_name.as_bytes(), false).await
        {
            warn!(target: "agent.server", %error, "could not tell the members who leads");
        }
    }
}
