//! Calling other servers, and knowing whom to call.

use std::time::Duration;

use bytes::Bytes;
use consul_rpc::client::{Pool, RpcCallError, Sent, Target};
use tokio::time::Instant;

use super::router::Router;
use super::server_info::ServerInfo;
use crate::rpc::operation::status::PeerAddresses;
use crate::rpc::remote::Operation as _;
use crate::rpc::{ReadOptions, RpcError};

/// How long a server may take to say which quorum it is in.
const ASK_LIMIT: Duration = Duration::from_secs(5);

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

    /// Replaces what is known of the servers of our own datacenter. Calls to those that have failed end at once: their
    /// connections would notice only much later, if their machines are gone.
    pub fn set_local(&self, servers: impl IntoIterator<Item = ServerInfo>) {
        let datacenter = self.router.datacenter();
        let before = self.router.servers(datacenter);
        self.router.set_local(servers);
        let now = self.router.servers(datacenter);
        for gone in before.iter().filter(|known| !now.iter().any(|server| server.address == known.address)) {
            self.calls.forget(&Target::from(&**gone));
        }
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
            other => {
                self.router.failed(&target.datacenter, target.address);
                RpcError::Unanswered {
                    server: format!("{} ({})", target.name, target.address),
                    sent: other.sent() == Sent::Maybe,
                    reason: other.to_string(),
                }
            }
        })
    }
}
