//! How requests reach other servers: bytes out, bytes back.
//!
//! The crate encodes and decodes; whoever implements [`Transport`] moves bytes over connections that
//! prove who the other side is, and gives what arrives to `RaftHandle::serve`.

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use thiserror::Error;

use crate::types::Peer;

/// What a request is about. The transport names its methods after these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Entries, or a heartbeat.
    Append,
    /// A server asks whether it would be elected, before it disturbs anybody by standing.
    Canvass,
    /// A candidate asks for a vote.
    Vote,
    /// One piece of a snapshot.
    Snapshot,
    /// The leader asks the receiver to stand for election now.
    TakeLead,
}

/// Carries requests to other servers.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request and waits for its answer, no longer than `timeout`. Requests to one peer
    /// may overlap; each is answered on its own.
    fn call<'a>(
        &'a self,
        peer: &'a Peer,
        method: Method,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>>;
}

/// Why a request was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransportError {
    /// Nothing listens there, or it does not accept us: trying again at once is pointless.
    #[error("{address} is unreachable: {reason}")]
    Unreachable { address: String, reason: String },
    /// The connection broke or the answer did not come in time.
    #[error("request to {address} failed: {reason}")]
    Failed { address: String, reason: String },
}

/// For a server that will never have peers.
pub struct NoPeers;

impl Transport for NoPeers {
    fn call<'a>(
        &'a self,
        peer: &'a Peer,
        _: Method,
        _: Bytes,
        _: Duration,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        let address = peer.address.clone();
        let reason = "this server was started without a transport".to_owned();
        Box::pin(async { Err(TransportError::Unreachable { address, reason }) })
    }
}
