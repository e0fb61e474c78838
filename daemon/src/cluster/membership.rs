//! The members that gossip knows, as the leader keeps the catalog and the quorum in line with them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use consul_gossip::serf::Member;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::census::{self, Kind};
use super::gossip::{Gossip, api_member};
use super::quorum::{self, QuorumChange};
use super::{ServerInfo, Servers};
use crate::leader::members::Members;
use crate::rpc::RpcError;
use crate::server::Server;

pub struct GossipMembers {
    gossip: Arc<Gossip>,
    servers: Arc<Servers>,
    node_name: String,
    changed: Mutex<watch::Receiver<Arc<[Member]>>>,
    /// When to compare once more although no member has changed.
    look_again: parking_lot::Mutex<Option<Instant>>,
}

/// An agent that leaves may still write its own registration, and with that its node, as long as it shuts down.
const STRAGGLING: Duration = Duration::from_secs(10);

impl GossipMembers {
    pub fn new(gossip: Arc<Gossip>, servers: Arc<Servers>, node_name: &str) -> Self {
        let changed = Mutex::new(gossip.lan.watch_members());
        Self { gossip, servers, node_name: node_name.to_owned(), changed, look_again: Default::default() }
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
                    info!(target: "agent.server", member, reason = "left", "deregistering member");
                    *self.look_again.lock() = Some(Instant::now() + STRAGGLING);
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

    async fn update_quorum(&self, server: &Server) {
        let known: Vec<ServerInfo> = super::gossip::servers(&self.gossip.lan)
            .into_iter()
            .filter(|info| info.datacenter == server.datacenter)
            .collect();
        let inside = server.raft.metrics().servers;
        for change in quorum::changes(server.raft.me(), &known, &inside) {
            self.change_quorum(server, change).await;
        }
    }

    async fn change_quorum(&self, server: &Server, change: QuorumChange) {
        let (what, result) = match change {
            QuorumChange::Refuse { name, why } => {
                error!(target: "agent.server", server = %name, reason = %why, "a server cannot be taken into the quorum");
                return;
            }
            QuorumChange::Add { name, peer } => {
                match self.servers.peers_of(&name, &peer).await {
                    Ok(peers) if peers.is_empty() => {}
                    // It was in this quorum before and has not noticed that it was taken out.
                    Ok(peers) if peers.iter().any(|address| *address == server.address()) => {}
                    Ok(peers) => {
                        error!(
                            target: "agent.server", server = %name, address = %peer.address, ?peers,
                            "a server has a cluster of its own and is not taken in: stop it, remove 'raft' from its data \
                             directory (its own data is lost) and start it again without 'bootstrap'"
                        );
                        return;
                    }
                    Err(reason) => {
                        warn!(target: "agent.server", server = %name, %reason, "a server does not answer yet, will try again");
                        return;
                    }
                }
                info!(target: "agent.server", server = %name, address = %peer.address, "adding server to the quorum");
                (name, server.raft.add_nonvoter(&peer).await)
            }
            QuorumChange::Move { name, peer } => {
                info!(target: "agent.server", server = %name, address = %peer.address, "server has another address");
                (name, server.raft.add_nonvoter(&peer).await)
            }
            QuorumChange::Remove { id, why } => {
                info!(target: "agent.server", server = %id, reason = why, "removing server from the quorum");
                (id.to_string(), server.raft.remove(id).await)
            }
        };
        if let Err(error) = result {
            warn!(target: "agent.server", server = %what, %error, "could not change the quorum, will try again");
        }
    }
}

#[async_trait]
impl Members for GossipMembers {
    async fn reconcile(&self, server: &Server) -> Result<(), RpcError> {
        self.update_catalog(server).await?;
        self.update_quorum(server).await;
        Ok(())
    }

    async fn changed(&self) {
        let mut changed = self.changed.lock().await;
        let look_again = *self.look_again.lock();
        let due = async {
            match look_again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = changed.changed() => if changed.is_err() {
                // The pool has ended, and with it the agent.
                std::future::pending::<()>().await;
            },
            () = due => *self.look_again.lock() = None,
        }
    }

    async fn announce_leader(&self) {
        if let Err(error) =
            self.gossip.lan.user_event(super::event::NEW_LEADER, self.node_name.as_bytes(), false).await
        {
            warn!(target: "agent.server", %error, "could not tell the members who leads");
        }
    }
}
