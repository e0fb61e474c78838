//! The leader's view of who belongs to the cluster, and what it writes of it into the catalog.

use std::sync::Arc;

use async_trait::async_trait;
use consul_gossip::serf::Member;
use consul_raft::autopilot::{Stats, Status};
use tokio::sync::watch;

use crate::cluster::ServerInfo;
use crate::rpc::RpcError;
use crate::server::Server;

/// A server that gossip knows.
#[derive(Clone, Debug)]
pub struct KnownServer {
    pub info: ServerInfo,
    pub status: Status,
}

/// Where the leader learns of members.
#[async_trait]
pub trait Members: Send + Sync {
    /// Brings the catalog in line with the members.
    async fn reconcile(&self, server: &Server) -> Result<(), RpcError>;

    /// Changes whenever the members do.
    fn watch(&self) -> watch::Receiver<Arc<[Member]>>;

    /// The servers of a datacenter.
    fn servers(&self, datacenter: &str) -> Vec<KnownServer>;

    /// How far a server's log has come; `None` if it does not answer.
    async fn stats_of(&self, server: &ServerInfo) -> Option<Stats>;

    /// Addresses of the quorum in which a server says it is; none if it has no data.
    async fn peers_of(&self, server: &ServerInfo) -> Result<Vec<String>, String>;

    /// Tells the members that this server leads now.
    async fn announce_leader(&self);
}
