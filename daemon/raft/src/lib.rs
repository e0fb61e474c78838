//! The replicated log: commands go in, every server applies them in the same order.
//!
//! openraft decides what is committed; this crate gives it a log on disk (SQLite), snapshots, the
//! way to other servers, and a state machine. It batches what is proposed concurrently, and it knows
//! nothing of what commands mean.
//!
//! What is acknowledged is on the disks of a quorum. What is not acknowledged may still take effect,
//! unless the error says that nothing happened.

mod applier;
pub mod autopilot;
mod config;
mod contact;
mod container;
mod elector;
mod error;
mod handle;
mod jitter;
mod lease;
mod log;
mod machine;
mod membership;
pub mod memory;
mod metrics;
mod monitor;
mod network;
pub mod offline;
mod payload;
mod proposer;
mod restore;
mod rpc;
#[cfg(test)]
mod sim;
mod snapshot;
mod staging;
mod transport;
mod types;
mod wire;

pub use config::{Bootstrap, Config, Limits, SnapshotPolicy, Storage, Timing};
pub use error::{Fate, MembershipError, OpenError, ProposeError, ReadError, RestoreError, SnapshotError};
pub use handle::RaftHandle;
pub use machine::{RestoreMode, SnapshotSource, StateMachine};
pub use metrics::{Metrics, ServerMetrics};
pub use monitor::{Leadership, Role};
pub use rpc::ServeError;
pub use transport::{Method, NoPeers, Transport, TransportError};
pub use types::{ParseServerIdError, Peer, ServerId};
