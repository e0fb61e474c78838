//! The RPC door: calls that arrive on the server port.

use std::sync::Weak;

use async_trait::async_trait;
use bytes::Bytes;
use consul_rpc::server::{CallError, Channel, Handler, Peer, SnapshotReply};
use consul_rpc::snapshot::SnapshotRequest;
use tokio::io::AsyncRead;

use super::{RpcError, methods, snapshot};
use crate::agent::Agent;
use crate::server::raft_door;

/// Answers calls for the agent. Holds it weakly: the door does not keep an agent alive that is ending.
pub struct RpcDoor(pub Weak<Agent>);

/// Methods that give an agent its first credentials, and therefore take none.
const WITHOUT_CREDENTIALS: [&str; 2] = ["AutoEncrypt.Sign", "AutoConfig.InitialConfiguration"];

impl RpcDoor {
    fn agent(&self) -> Result<std::sync::Arc<Agent>, CallError> {
        self.0.upgrade().ok_or_else(|| CallError::Failed(RpcError::NoServers.to_string()))
    }
}

#[async_trait]
impl Handler for RpcDoor {
    async fn call(&self, peer: &Peer, method: &str, body: Bytes) -> Result<Bytes, CallError> {
        if peer.channel == Channel::Insecure && !WITHOUT_CREDENTIALS.contains(&method) {
            return Err(CallError::UnknownService);
        }
        let agent = self.agent()?;
        if let Some(answer) = raft_door::answer(agent.server.as_deref(), method, &body).await {
            return answer;
        }
        methods::call(&agent, method, &body).await.map(Bytes::from)
    }

    async fn snapshot(
        &self,
        _: &Peer,
        request: SnapshotRequest,
        archive: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<SnapshotReply, CallError> {
        let served = snapshot::serve(&self.agent()?, request, archive).await;
        served.map_err(|error| CallError::Failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
