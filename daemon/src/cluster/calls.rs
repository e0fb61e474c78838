//! Calling other servers, and knowing whom to call.

use std::time::Duration;

use bytes::Bytes;
use consul_api::types::duration::GoDuration;
use consul_raft::autopilot::Stats;
use consul_rpc::client::{Pool, RpcCallError, Sent, Target};
use consul_rpc::messages::Nothing;
use consul_rpc::messages::operator::RaftStats;
use tokio::time::Instant;

use super::router::Router;
use super::server_info::ServerInfo;
use crate::rpc::operation::status::PeerAddresses;
use crate::rpc::remote::{Operation as _, whole};
use crate::rpc::{ReadOptions, RpcError};

/// How long a server may take to say which quorum it is in.
const ASK_LIMIT: Duration = Duration::from_secs(5);

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
