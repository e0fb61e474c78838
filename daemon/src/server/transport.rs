//! The log's requests to other servers, on connections of their own: a heartbeat never waits behind a large answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use consul_raft::{Method, Peer, ServerId, Transport, TransportError};
use consul_rpc::client::{Pool, PoolConfig, RpcCallError, Target};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::cluster::Servers;

/// All methods of the log, as their names are on the wire.
const NAMES: [(Method, &str); 5] = [
    (Method::Append, "Raft.Append"),
    (Method::Canvass, "Raft.Canvass"),
    (Method::Vote, "Raft.Vote"),
    (Method::Snapshot, "Raft.Snapshot"),
    (Method::TakeLead, "Raft.TakeLead"),
];

/// The method of the log that a call names.
pub fn method_of(name: &str) -> Option<Method> {
    NAMES.iter().find(|(_, known)| *known == name).map(|(method, _)| *method)
}

fn name_of(method: Method) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == method).map_or("", |(_, name)| name)
}

/// A connection on which nothing was answered for so long is made anew. After a partition TCP would wait for as long
/// again as it has lasted, and nobody would lead meanwhile.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Carries requests of the log over the server port.
pub struct RaftCalls {
    pool: Pool,
    servers: Arc<Servers>,
    silent: Silent,
    may_speak: watch::Receiver<bool>,
}

/// Servers that do not answer, so that it is said once when one falls silent and once when it is back.
#[derive(Default)]
struct Silent {
    /// Since when; begun anew with each connection.
    servers: Mutex<BTreeMap<ServerId, Instant>>,
    /// Spares nearly all calls the lock.
    any: AtomicBool,
}

impl Silent {
    /// Tells whether the connection is to be made anew.
    fn note<T>(&self, peer: &Peer, answer: &Result<T, TransportError>) -> bool {
        match answer {
            Ok(_) => {
                if self.any.load(Ordering::Relaxed) && self.forget(peer) {
                    info!(target: "agent.server.raft", server = %peer.id, address = %peer.address, "server answers again");
                }
                false
            }
            Err(error) => {
                let now = Instant::now();
                let mut servers = self.servers.lock();
                let Some(since) = servers.get_mut(&peer.id) else {
                    servers.insert(peer.id, now);
                    self.any.store(true, Ordering::Relaxed);
                    warn!(target: "agent.server.raft", server = %peer.id, address = %peer.address, %error, "failed to contact server, will keep trying");
                    return false;
                };
                let is_long = now.saturating_duration_since(*since) >= SILENCE_MAX;
                if is_long {
                    *since = now;
                }
                is_long
            }
        }
    }

    /// Tells whether it was silent.
    fn forget(&self, peer: &Peer) -> bool {
        let mut servers = self.servers.lock();
        let was_silent = servers.remove(&peer.id).is_some();
        self.any.store(!servers.is_empty(), Ordering::Relaxed);
        was_silent
    }
}

impl RaftCalls {
    /// Requests wait until `may_speak`.
    pub fn new(servers: Arc<Servers>, may_speak: watch::Receiver<bool>) -> Self {
        let pool = Pool::new(PoolConfig::default(), None);
        Self { pool, servers, silent: Silent::default(), may_speak }
    }

    async fn may_speak(&self, until: Instant) -> bool {
        let mut may_speak = self.may_speak.clone();
        let told = timeout_at(until, may_speak.wait_for(|may| *may)).await;
        matches!(told, Ok(Ok(_)))
    }

    /// Where a server is. The log learns of a new address from a leader, and there is none before servers that have
    /// moved find each other; gossip knows at once.
    fn address_of(&self, id: &str, peer: &Peer) -> Option<SocketAddr> {
        let known = self.servers.router.find_by_id(id);
        known.map(|server| server.address).or_else(|| peer.address.parse().ok())
    }
}

impl Transport for RaftCalls {
    fn call<'a>(
        &'a self,
        peer: &'a Peer,
        method: Method,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        Box::pin(async move {
            let address = peer.address.clone();
            let unreachable =
                |reason: String| TransportError::Unreachable { address: address.clone(), reason };
            let id = peer.id.to_string();
            let socket =
                self.address_of(&id, peer).ok_or_else(|| unreachable("no such address".to_owned()))?;
            let target = Target::plain(id, socket, self.servers.router.datacenter());
            let until = Instant::now() + timeout;
            if !self.may_speak(until).await {
                return Err(unreachable("it is not clear yet that this server is no copy".to_owned()));
            }
            let answer = self.pool.call_raw(&target, name_of(method), body, Some(until)).await;
            let answer = answer.map_err(|error| match error {
                RpcCallError::Dial(reason) => unreachable(reason.to_string()),
                other => TransportError::Failed { address: address.clone(), reason: other.to_string() },
            });
            if self.silent.note(peer, &answer) {
                self.pool.forget(&target);
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_a_name_of_its_own() {
        for (method, name) in NAMES {
            assert_eq!((method_of(name), name_of(method)), (Some(method), name));
        }
        assert_eq!(method_of("Raft.Nonsense"), None);
    }
}
