//! The leader's view of who belongs to the cluster, and what it writes of it into the catalog.

use async_trait::async_trait;

use crate::rpc::RpcError;
use crate::server::Server;

/// Where the leader learns of members.
#[async_trait]
pub trait Members: Send + Sync {
    /// Brings the catalog in line with the members.
    async fn reconcile(&self, server: &Server) -> Result<(), RpcError>;

    /// Resolves when the members have changed.
    async fn changed(&self);

    /// Tells the members that this server leads now.
    async fn announce_leader(&self);
}
