//! What runs on this host, as this agent knows it: the truth that the catalog is brought in line with.
//!
//! `state` is the book of services and checks and decides nothing about time or I/O; `plan` compares it with the
//! catalog; `persist` keeps what the API registered over a restart. The agent's `services` module drives them.

pub mod definition;
pub mod entry;
pub mod maintenance;
pub mod persist;
pub mod plan;
pub mod sidecar;
pub mod state;
