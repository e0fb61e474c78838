//! Many streams on one connection: yamux, as HashiCorp's library speaks it.
//!
//! Written here because of what hangs on it: thousands of streams that only wait (one must cost little), and many
//! small messages at once (they must leave in one write). All streams of a connection write into one buffer, which
//! one task, the [`Driver`], puts on the network; whatever was added until it runs goes out together. The same task
//! reads, and hands data to the stream it is for. What the frames mean is decided in `session`, without I/O.

mod budget;
mod driver;
mod frame;
mod session;
mod state;
mod stream;

pub use budget::{Budget, Reserved};
pub use driver::{Closed, Driver, client, server};
pub use frame::{FrameError, HEADER_LEN};
pub use session::Mux;
pub use state::ProtocolError;
pub use stream::Stream;

use std::sync::Arc;
use std::time::Duration;

use crate::counters::Counters;

/// What each side may send on a stream before the other allows more. Fixed by the protocol.
pub const WINDOW: u32 = 256 * 1024;

/// Limits of one connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Streams that the peer may have open at once. More are reset.
    pub streams_max: usize,
    /// Pause between pings that find out whether the peer is there.
    pub keepalive: Duration,
    /// How long the peer may take to answer a ping, or to take any byte at all.
    pub stall_max: Duration,
    /// Counts data that arrived and that nobody has read yet, over all connections that share it.
    pub budget: Arc<Budget>,
    /// Counts what passes.
    pub counters: Arc<Counters>,
}

#[cfg(test)]
mod tests;
