//! A server: the replicated state, the log that feeds it, and the duties of a leader.

pub mod coordinates;
pub mod identity;
pub mod machine;
pub mod metrics;
pub mod raft_door;
mod read;
pub mod rejoin;
pub mod transport;
pub mod watchdog;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use consul_api::types::config_entry::ConfigEntry;
use consul_api::types::operator::AutopilotConfig;
use consul_raft::RaftHandle;
use consul_state::Store;

use crate::leader::Leader;
use crate::limits::RequestLimits;
use coordinates::Coordinates;
use machine::Machine;
use tokio::sync::watch;

pub struct Server {
    pub store: Arc<Store>,
    pub raft: RaftHandle<Machine>,
    pub leader: Arc<Leader>,
    pub datacenter: String,
    /// Where other servers reach this one.
    pub address: String,
    pub session_ttl_min: Duration,
    pub coordinates: Coordinates,
    /// Written down by the first leader, unless operators have said otherwise before.
    pub autopilot: AutopilotConfig,
    /// Stored by each new leader where they are absent.
    pub bootstrap_entries: ArcSwap<Vec<ConfigEntry>>,
    pub limits: RequestLimits,
    /// Reads that wait for a change.
    pub blocking: AtomicUsize,
    /// Whether the log's requests go out to other servers: see [`identity`].
    pub may_speak: watch::Sender<bool>,
}

impl Server {
    /// Reads that wait for a change right now.
    pub fn blocking_reads(&self) -> usize {
        self.blocking.load(Ordering::Relaxed)
    }
}
