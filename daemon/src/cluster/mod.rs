//! The agents around this one: who they are, whom to ask, and what is told to all of them.

pub mod address;
pub mod bootstrap;
pub mod calls;
pub mod census;
pub mod distance;
pub mod entry;
pub mod event;
pub mod figures;
pub mod flood;
pub mod forming;
pub mod gossip;
pub mod join;
pub mod keyring_file;
pub mod lone;
pub mod membership;
pub mod pools;
pub mod rebalance;
pub mod router;
pub mod routes;
pub mod server_info;
pub mod tuning;
pub mod vetting;
pub mod whereabouts;

pub use calls::Servers;
pub use pools::{Cluster, KeyringChange, Pool};
pub use router::{NoRoute, Router};
pub use server_info::ServerInfo;
