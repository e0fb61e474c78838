//! What peers may make a server hold.

use std::time::Duration;

use crate::codec::Sizes;

/// Whether calls may come unencrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainText {
    /// They may.
    Allowed,
    /// Only encrypted connections are served.
    Refused,
}

/// Limits of a server, over all its listeners.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until the first byte, and the TLS handshake if there is one.
    pub handshake_max: Duration,
    /// Connections from one address.
    pub connections_per_address: usize,
    /// Connections in all.
    pub connections_max: usize,
    /// Streams of one connection.
    pub streams_per_connection: usize,
    /// Streams of all connections. One that waits for a request costs about a kilobyte.
    pub streams_max: usize,
    /// Calls being worked on in all, blocked queries among them.
    pub calls_max: usize,
    /// Snapshots being saved or restored in all.
    pub snapshots_max: usize,
    /// Bytes that have arrived and are not complete messages yet, in all.
    pub buffered_max: usize,
    /// Bytes of the parts of a request.
    pub request: Sizes,
    /// From the first to the last byte of a request.
    pub request_max: Duration,
    /// Pause between pings on a multiplexed connection.
    pub keepalive: Duration,
    /// How long a peer may take none of what is sent to it.
    pub stall_max: Duration,
    /// Whether encryption is demanded.
    pub plain_text: PlainText,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_max: Duration::from_secs(5),
            connections_per_address: 100,
            connections_max: 32 * 1024,
            streams_per_connection: 16 * 1024,
            streams_max: 256 * 1024,
            calls_max: 128 * 1024,
            snapshots_max: 8,
            buffered_max: 256 * 1024 * 1024,
            request: Sizes { header_max: 4 * 1024, body_max: 8 * 1024 * 1024 },
            request_max: Duration::from_secs(60),
            keepalive: Duration::from_secs(30),
            stall_max: Duration::from_secs(10),
            plain_text: PlainText::Allowed,
        }
    }
}
