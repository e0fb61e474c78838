//! What agents say to each other on the server port: framing, multiplexing, calls, and the messages themselves.
//!
//! The transport ([`codec`], [`mux`], [`server`], [`client`]) moves method names and encoded bodies and knows no
//! endpoint; [`messages`] gives the bodies their types and knows no connection.

pub mod client;
pub mod codec;
mod counters;
mod io;
pub mod messages;
pub mod mux;
mod patience;
pub mod server;
pub mod snapshot;

pub use counters::{CounterValues, Counters};
pub use io::Io;

/// What the first byte of a connection says about the rest.
pub mod first_byte {
    /// One stream of calls directly on the connection.
    pub const SINGLE: u8 = 0;
    /// HashiCorp's Raft transport.
    pub const RAFT: u8 = 1;
    /// The multiplexing that preceded [`MULTIPLEXED`].
    pub const MULTIPLEXED_OLD: u8 = 2;
    /// TLS, inside of which another first byte follows.
    pub const TLS: u8 = 3;
    /// Streams of calls, multiplexed.
    pub const MULTIPLEXED: u8 = 4;
    /// A snapshot is saved or restored.
    pub const SNAPSHOT: u8 = 5;
    /// Gossip over the server port.
    pub const GOSSIP: u8 = 6;
    /// TLS without a client certificate, inside of which one stream of calls follows.
    pub const TLS_INSECURE: u8 = 7;
    /// HTTP/2 with gRPC.
    pub const GRPC: u8 = 8;
    /// HashiCorp servers forwarding log entries among themselves.
    pub const RAFT_FORWARDING: u8 = 9;
    /// The first byte of any TLS handshake: the protocol is negotiated inside.
    pub const NATIVE_TLS: u8 = 22;
}
