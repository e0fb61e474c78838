//! What a server needs from whoever knows the methods.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncRead;

use super::tls::TlsIdentity;
use crate::snapshot::{SnapshotRequest, SnapshotResponse};

/// Which door a call came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// One stream of calls on a connection.
    Single,
    /// A multiplexed connection.
    Multiplexed,
    /// Encrypted, but the peer may be anyone: only methods that give it its first credentials are let through.
    Insecure,
    /// A snapshot's own connection.
    Snapshot,
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end of the connection.
    pub address: SocketAddr,
    /// How it came in.
    pub channel: Channel,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// Who it proved to be.
    pub identity: Option<TlsIdentity>,
}

/// Why a call failed. The texts reach the caller, and callers match them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// There is no such service. The stream is closed.
    UnknownService,
    /// The service has no such method. The stream is closed.
    UnknownMethod,
    /// The body is not what the method takes. The stream is closed.
    Malformed(String),
    /// The method says no. The stream goes on.
    Failed(String),
}

/// The answer to a snapshot request.
pub struct SnapshotReply {
    /// Sent first.
    pub response: SnapshotResponse,
    /// Sent then, to its end. Not for a restore.
    pub archive: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

/// Answers calls. Whatever it returns is dropped as soon as nobody waits for it, at any await: a call that must not
/// be cut in two runs in a task of its own.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers one call with one encoded value. `method` has a dot in it; `body` is one encoded value.
    async fn call(&self, peer: &Peer, method: &str, body: Bytes) -> Result<Bytes, CallError>;

    /// Saves or restores a snapshot. For a restore, `archive` is what to restore, up to its end; the connection may
    /// break in the middle of it. An error becomes the response's text.
    async fn snapshot(
        &self,
        peer: &Peer,
        request: SnapshotRequest,
        archive: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<SnapshotReply, CallError>;
}
