//! Calling other servers, and knowing whom to call.

use std::time::Duration;

use bytes::Bytes;
use consul_rpc::client::{Pool, RpcCallError, SavedSnapshot, Sent, SnapshotError, Target};
use consul_rpc::snapshot::SnapshotRequest;
use consul_telemetry::metrics::counter_with;
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::router::Router;
use super::server_info::ServerInfo;
use crate::rpc::operation::status::PeerAddresses;
use crate::rpc::remote::Operation as _;
use crate::rpc::{ReadOptions, RpcError};

/// How long a server may take to say which quorum it is in.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Whether a server is there at all.
const PING: &str = "Status.Ping";
/// Its arguments, in MessagePack.
const EMPTY_MAP: [u8; 1] = [0x80];

/// What an agent needs to have requests answered elsewhere.
pub struct Servers {
    pub router: Router,
    calls: Pool,
}

impl From<&ServerInfo> for Target {
    fn from(server: &ServerInfo) -> Self {
        Self::plain(server.name.as_str(), server.address, server.datacenter.as_str())
    }
}

impl Servers {
    pub fn new(router: Router, calls: Pool) -> Self {
        Self { router, calls }
    }

    /// Where to call the leader that the log knows; `None` if its address makes no sense.
    pub fn leader(&self, leader: &consul_raft::Peer) -> Option<Target> {
        let address = leader.address.parse().ok()?;
        // The log does not know names, which certificates and connections go by.
        let known = self.router.find_local(address);
        Some(match known {
            Some(server) => Target::from(&*server),
            None => Target::plain(leader.id.to_string(), address, self.router.datacenter()),
        })
    }

    /// Addresses of the servers in whose quorum a server says it is; none if it has no data.
    pub async fn peers_of(&self, name: &str, peer: &consul_raft::Peer) -> Result<Vec<String>, String> {
        let address = peer.address.parse().map_err(|_| format!("{:?} is no address", peer.address))?;
        let target = Target::plain(name, address, self.router.datacenter());
        let options =
            ReadOptions { datacenter: self.router.datacenter().to_owned(), ..ReadOptions::default() };
        let (method, arguments) = (PeerAddresses.method(), PeerAddresses.arguments(&options));
        let body =
            self.call(&target, method, arguments, ASK_LIMIT).await.map_err(|error| error.to_string())?;
        PeerAddresses.reply(&body).map(|(_, peers)| peers).map_err(|error| error.to_string())
    }

    /// Spreads this agent's requests anew over the servers: one that answers comes first.
    pub async fn rebalance(&self) {
        self.router.shuffle_local();
        let datacenter = self.router.datacenter();
        for _ in 0..self.router.servers(datacenter).len() {
            let Ok(server) = self.router.next(datacenter) else { return };
            let asked = self.call(&Target::from(&*server), PING, EMPTY_MAP.to_vec(), ASK_LIMIT).await;
            match asked {
                Err(RpcError::Unanswered { .. }) => {}
                _ => return,
            }
        }
    }

    /// Calls `method` on `target`. One that does not answer is asked last from then on.
    pub async fn call(
        &self,
        target: &Target,
        method: &str,
        arguments: Vec<u8>,
        limit: Duration,
    ) -> Result<Bytes, RpcError> {
        let deadline = Instant::now() + limit;
        let answer = self.calls.call(target, method, Bytes::from(arguments), Some(deadline)).await;
        answer.map_err(|error| match error {
            RpcCallError::Remote(text) => RpcError::from_text(&text),
            other => self.unanswered(target, &other, other.sent()),
        })
    }

    /// Has `target` save its state; returns once the archive begins.
    pub async fn save_snapshot(
        &self,
        target: &Target,
        request: &SnapshotRequest,
        limit: Duration,
    ) -> Result<SavedSnapshot, RpcError> {
        let saved = self.calls.save_snapshot(target, request, Instant::now() + limit).await;
        saved.map_err(|error| self.snapshot_failure(target, error))
    }

    /// Has `target` replace its state by `archive`. Nothing of it was read if the error says that nothing was sent.
    pub async fn restore_snapshot(
        &self,
        target: &Target,
        request: &SnapshotRequest,
        archive: &mut (dyn AsyncRead + Send + Unpin),
        limit: Duration,
    ) -> Result<(), RpcError> {
        let restored = self.calls.restore_snapshot(target, request, archive, Instant::now() + limit).await;
        restored.map(drop).map_err(|error| self.snapshot_failure(target, error))
    }

    fn snapshot_failure(&self, target: &Target, error: SnapshotError) -> RpcError {
        match error {
            SnapshotError::Remote(text) => RpcError::from_text(&text),
            SnapshotError::Archive(error) => {
                RpcError::refused(format!("failed to read snapshot file: {error}"))
            }
            SnapshotError::Dial(error) => self.unanswered(target, &error, Sent::No),
            other => self.unanswered(target, &other, Sent::Maybe),
        }
    }

    fn unanswered(&self, target: &Target, error: &dyn std::error::Error, sent: Sent) -> RpcError {
        self.router.failed(&target.datacenter, target.address);
        counter_with("client.rpc.failed", &[("server", &*target.name)]).incr();
        RpcError::Unanswered {
            server: format!("{} ({})", target.name, target.address),
            sent: sent == Sent::Maybe,
            reason: error.to_string(),
        }
    }
}
