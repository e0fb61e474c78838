//! Why a call has no result.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::codec::CodecError;

/// Whether the server may have received a request, and so may have done what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It has not: the call can be made again elsewhere, whatever it is.
    No,
    /// It may have: only a call that changes nothing can be made again.
    Maybe,
}

/// Why a connection was not made.
#[derive(Clone, Debug, Error)]
pub enum DialError {
    /// The network says no.
    #[error("dial tcp {address}: {source}")]
    Connect {
        /// The server.
        address: std::net::SocketAddr,
        /// What it says.
        source: Arc<io::Error>,
    },
    /// The handshake failed.
    #[error("tls handshake with {address}: {source}")]
    Tls {
        /// The server.
        address: std::net::SocketAddr,
        /// What went wrong.
        source: Arc<io::Error>,
    },
    /// The server wants TLS and we have none.
    #[error("{0} is to be called over TLS, which is not configured")]
    NoTls(std::net::SocketAddr),
    /// No answer in time.
    #[error("dial tcp {0}: i/o timeout")]
    Timeout(std::net::SocketAddr),
    /// The pool was closed.
    #[error("the connection pool is shut down")]
    ShutDown,
}

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum RpcCallError {
    /// The server answered that it failed. The text is the server's.
    #[error("{0}")]
    Remote(String),
    /// The server could not be reached.
    #[error("failed to get conn: {0}")]
    Dial(#[from] DialError),
    /// The connection broke, or what came back was no answer.
    #[error("{reason}")]
    Transport {
        /// Whether it may have been executed.
        sent: Sent,
        /// What happened.
        reason: String,
    },
    /// The deadline came first.
    #[error("i/o deadline reached")]
    Timeout {
        /// Whether it may have been executed.
        sent: Sent,
    },
}

impl RpcCallError {
    /// Whether the server may have executed the call.
    pub fn sent(&self) -> Sent {
        match self {
            Self::Remote(_) => Sent::Maybe,
            Self::Dial(_) => Sent::No,
            Self::Transport { sent, .. } | Self::Timeout { sent } => *sent,
        }
    }

    pub(super) fn transport(sent: Sent, error: &dyn std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self::Transport { sent, reason }
    }
}

/// Why a snapshot was not saved or restored.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The server answered that it failed. The text is the server's.
    #[error("{0}")]
    Remote(String),
    /// The server could not be reached.
    #[error("failed to get conn: {0}")]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("snapshot connection failed")]
    Io(#[from] io::Error),
    /// The archive to restore could not be read to its end.
    #[error("could not read the archive")]
    Archive(#[source] io::Error),
    /// The response is malformed.
    #[error("failed to decode response")]
    Response(#[source] CodecError),
    /// No response in time.
    #[error("i/o deadline reached")]
    Timeout,
}
