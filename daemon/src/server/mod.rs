//! A server: the replicated state, the log that feeds it, and the duties of a leader.

pub mod coordinates;
pub mod machine;
mod read;
mod write;

use std::sync::Arc;
use std::time::Duration;

use consul_api::types::operator::AutopilotConfig;
use consul_raft::RaftHandle;
use consul_state::Store;

use crate::leader::Leader;
use coordinates::Coordinates;
use machine::Machine;

/// How long a request waits for a leader to appear before it fails.
#[derive(Clone, Copy, Debug)]
pub struct HoldTimeout(pub Duration);

pub struct Server {
    pub store: Arc<Store>,
    pub raft: RaftHandle<Machine>,
    pub leader: Arc<Leader>,
    pub datacenter: String,
    pub hold: HoldTimeout,
    pub session_ttl_min: Duration,
    pub coordinates: Coordinates,
    /// Written down by the first leader, unless operators have said otherwise before.
    pub autopilot: AutopilotConfig,
}
