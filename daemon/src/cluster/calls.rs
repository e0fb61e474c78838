//! Calling other servers, and knowing whom to call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consul_api::types::duration::GoDuration;
use consul_raft::autopilot::Stats;
use consul_rpc::client::{Pool, RpcCallError, SavedSnapshot, Sent, SnapshotError, Target};
use consul_rpc::messages::Nothing;
use consul_rpc::messages::operator::RaftStats;
use consul_rpc::snapshot::SnapshotRequest;
use consul_telemetry::metrics::counter_with;
use tokio::io::AsyncRead;
use tokio::time::Instant;

use super::router::Router;
use super::server_info::ServerInfo;
use crate::rpc::operation::status::PeerAddresses;
use crate::rpc::remote::{Operation as _, whole};
use crate::rpc::{ReadOptions, RpcError};

/// How long a server may take to say which quorum it is in.
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Whether a server is there at all.
const PING: &str = "Status.Ping";
/// Its arguments, in MessagePack.
const EMPTY_MAP: [u8; 1] = [0x80];

/// How long a server may take to say how it is: one that takes longer is not well.
const STATS_LIMIT: Duration = Duration::from_secs(2);

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

fn stats(sent: &RaftStats) -> Result<Stats, RpcError> {
    let last_contact = match sent.last_contact.as_str() {
        "never" => None,
        text => {
            let unreadable = |_| RpcError::refused(format!("{text:?} is no time since the last contact"));
            Some(text.parse::<GoDuration>().map_err(unreadable)?.to_std())
        }
    };
    Ok(Stats { last_contact, last_term: sent.last_term, last_index: sent.last_index })
}

impl Servers {
    pub fn new(router: Router, calls: Pool) -> Self {
        Self { router, calls }
    }

    /// Replaces what is known of the servers of our own datacenter.
    pub fn set_local(&self, servers: Vec<ServerInfo>) {
        let before = self.router.servers(self.router.datacenter());
        self.hang_up_on_lost(&before, &servers);
        self.router.set_local(servers);
    }

    /// Replaces what is known of the servers of all other datacenters.
    pub fn set_remote(&self, servers: Vec<ServerInfo>) {
        let others = self.router.datacenters().into_iter().filter(|name| name != self.router.datacenter());
        let before: Vec<_> = others.flat_map(|name| self.router.servers(&name)).collect();
        self.hang_up_on_lost(&before, &servers);
        self.router.set_remote(servers);
    }

    /// Ends the connections to servers that have failed: whoever waits for an answer waits in vain, and the connection
    /// itself would notice only much later. One that leaves still answers what it was asked, and ends them itself.
    fn hang_up_on_lost(&self, before: &[Arc<ServerInfo>], now: &[ServerInfo]) {
        let is_there = |known: &ServerInfo| {
            let same = |server: &&ServerInfo| server.address == known.address && server.name == known.name;
            now.iter().filter(same).any(|server| server.alive || server.left)
        };
        for lost in before.iter().filter(|known| !is_there(known)) {
            self.calls.forget(&Target::from(&**lost));
        }
    }

    /// Where to call the leader that the log knows; `None` if its address makes no sense.
    pub fn leader(&self, leader: &consul_raft::Peer) -> Option<Target> {
        let id = leader.id.to_string();
        // The log does not know names, which certificates and connections go by, nor addresses that have just changed.
        if let Some(server) = self.router.find_by_id(&id) {
            return Some(Target::from(&*server));
        }
        Some(Target::plain(id, leader.address.parse().ok()?, self.router.datacenter()))
    }

    /// Addresses of the servers in whose quorum a server says it is; none if it has no data.
    pub async fn peers_of(&self, server: &ServerInfo) -> Result<Vec<String>, String> {
        let target = Target::from(server);
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

    /// How far a server's log has come.
    pub async fn stats_of(&self, server: &ServerInfo) -> Result<Stats, RpcError> {
        let arguments = consul_rpc::messages::value(&Nothing {});
        let body = self.call(&Target::from(server), "Status.RaftStats", arguments, STATS_LIMIT).await?;
        stats(&whole(&body)?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_contact_is_read_as_servers_write_it() {
        let contact = |text: &str| {
            let sent = RaftStats { last_contact: text.into(), last_index: 7, last_term: 2 };
            stats(&sent).map(|stats| stats.last_contact)
        };
        assert_eq!(contact("0"), Ok(Some(Duration::ZERO)));
        assert_eq!(contact("12.5ms"), Ok(Some(Duration::from_micros(12_500))));
        assert_eq!(contact("never"), Ok(None));
        assert!(contact("soon").is_err());
    }
}
