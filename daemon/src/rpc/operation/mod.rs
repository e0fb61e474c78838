//! What servers do for a caller as a whole; see [`Operation`](super::remote::Operation).

pub mod coordinate;
pub mod datacenters;
pub mod event;
pub mod health;
pub mod keyring;
pub mod query;
pub mod raft;
pub mod session;
pub mod status;
pub mod txn;
pub mod usage;

use super::ReadMeta;

/// Freshness of what lies beside the state.
fn here() -> ReadMeta {
    ReadMeta { index: 1, known_leader: true, ..ReadMeta::default() }
}
