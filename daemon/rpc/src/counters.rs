//! What passed through, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one server or one pool, counted up from its start.
#[derive(Debug, Default)]
pub struct Counters {
    pub(crate) connections_accepted: AtomicU64,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) connections_dialed: AtomicU64,
    pub(crate) dials_failed: AtomicU64,
    pub(crate) streams_opened: AtomicU64,
    pub(crate) streams_refused: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) calls_failed: AtomicU64,
    pub(crate) calls_refused: AtomicU64,
    pub(crate) calls_abandoned: AtomicU64,
    pub(crate) frames_dropped: AtomicU64,
    pub(crate) protocol_errors: AtomicU64,
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_written: AtomicU64,
}

/// [`Counters`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterValues {
    /// Connections whose first byte was read and served.
    pub connections_accepted: u64,
    /// Connections closed because of a limit, their first byte, or missing encryption.
    pub connections_refused: u64,
    /// Connections that we made.
    pub connections_dialed: u64,
    /// Connections that we tried to make.
    pub dials_failed: u64,
    /// Streams within multiplexed connections, from either side.
    pub streams_opened: u64,
    /// Streams of peers that were reset because there were too many.
    pub streams_refused: u64,
    /// Requests read (server) or made (pool).
    pub calls: u64,
    /// Calls that were answered with an error, or not at all.
    pub calls_failed: u64,
    /// Requests answered with an error because too many were being worked on.
    pub calls_refused: u64,
    /// Calls dropped because the caller went away before the answer.
    pub calls_abandoned: u64,
    /// Frames for streams that no longer exist.
    pub frames_dropped: u64,
    /// Connections and streams closed because of what the peer sent.
    pub protocol_errors: u64,
    /// Bytes off the network, as far as they belong to calls.
    pub bytes_read: u64,
    /// Bytes onto the network, as far as they belong to calls.
    pub bytes_written: u64,
}

impl Counters {
    /// All counts as they are now.
    pub fn values(&self) -> CounterValues {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CounterValues {
            connections_accepted: get(&self.connections_accepted),
            connections_refused: get(&self.connections_refused),
            connections_dialed: get(&self.connections_dialed),
            dials_failed: get(&self.dials_failed),
            streams_opened: get(&self.streams_opened),
            streams_refused: get(&self.streams_refused),
            calls: get(&self.calls),
            calls_failed: get(&self.calls_failed),
            calls_refused: get(&self.calls_refused),
            calls_abandoned: get(&self.calls_abandoned),
            frames_dropped: get(&self.frames_dropped),
            protocol_errors: get(&self.protocol_errors),
            bytes_read: get(&self.bytes_read),
            bytes_written: get(&self.bytes_written),
        }
    }

    pub(crate) fn add(count: &AtomicU64, more: usize) {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(crate) fn one(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
