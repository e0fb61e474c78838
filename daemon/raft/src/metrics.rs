//! Figures about this server's part in consensus, for `consul info` and `consul operator raft`.

use std::time::Duration;

use crate::monitor::Role;
use crate::types::Peer;

/// A moment of one server. Indexes are those of the Raft log, which is not the state's counter.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub role: Role,
    pub term: u64,
    pub leader: Option<Peer>,
    pub last_log_index: u64,
    pub last_log_term: u64,
    pub commit_index: u64,
    pub applied_index: u64,
    pub last_snapshot_index: u64,
    pub last_snapshot_term: u64,
    /// Since the leader was last heard; zero on the leader itself, `None` if never.
    pub last_contact: Option<Duration>,
    /// The entry that made `servers` the configuration.
    pub configuration_index: u64,
    pub servers: Vec<ServerMetrics>,
}

/// A server of the configuration.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    pub peer: Peer,
    pub voter: bool,
    pub leader: bool,
    /// The last entry known to be on its disk. Only the leader knows.
    pub matched_index: Option<u64>,
}

impl Metrics {
    /// Other voters.
    pub fn peers(&self, me: crate::ServerId) -> usize {
        self.servers.iter().filter(|server| server.voter && server.peer.id != me).count()
    }
}
