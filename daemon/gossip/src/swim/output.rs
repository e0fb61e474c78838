//! What a member wants done, and what became of requests.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

/// Names a stream for as long as the member lives; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(crate) u64);

/// Names an attempt to join by one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinId(pub(crate) u64);

/// Work for whoever drives the member, to be done in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send one packet.
    Packet { to: SocketAddr, bytes: Bytes },
    /// Open a stream and report it as connected or failed. `timeout`: no use in trying longer.
    Connect { stream: StreamId, to: SocketAddr, timeout: Duration },
    /// Write to a stream.
    Write { stream: StreamId, bytes: Bytes },
    /// Close a stream when what was written is out. The member has forgotten it: report nothing of it any more.
    Close { stream: StreamId },
    /// Close a stream at once, whatever waits to be written.
    Abort { stream: StreamId },
    /// A request to join is over.
    JoinDone { join: JoinId, result: Result<(), JoinError> },
    /// The own leaving was told to others as often as it is to be, or there is nobody to tell.
    LeaveDone,
}

/// Why an address could not be joined by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    #[error("{0}")]
    Connect(String),
    #[error("timed out")]
    Timeout,
    #[error("the connection was closed before an answer came")]
    Closed,
    #[error("remote error: {0}")]
    Remote(String),
    #[error("answer is not understood: {0}")]
    BadAnswer(String),
    #[error("{0}")]
    Refused(String),
    #[error("this node is leaving")]
    Leaving,
}
