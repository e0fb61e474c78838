//! The log's requests to other servers, on connections of their own: a heartbeat never waits behind a large answer.

use std::time::Duration;

use bytes::Bytes;
use consul_raft::{Method, Peer, Transport, TransportError};
use consul_rpc::client::{Pool, PoolConfig, RpcCallError, Target};
use futures::future::BoxFuture;
use tokio::time::Instant;

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

/// Carries requests of the log over the server port.
pub struct RaftCalls {
    pool: Pool,
    datacenter: String,
}

impl RaftCalls {
    pub fn new(datacenter: &str) -> Self {
        Self { pool: Pool::new(PoolConfig::default(), None), datacenter: datacenter.to_owned() }
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
            let socket = peer.address.parse().map_err(|_| unreachable("no such address".to_owned()))?;
            let target = Target::plain(peer.id.to_string(), socket, self.datacenter.as_str());
            let answer =
                self.pool.call_raw(&target, name_of(method), body, Some(Instant::now() + timeout)).await;
            answer.map_err(|error| match error {
                RpcCallError::Dial(reason) => unreachable(reason.to_string()),
                other => TransportError::Failed { address: address.clone(), reason: other.to_string() },
            })
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
