//! Several agents that form a cluster, and what can happen to them.
//!
//! [`Network::run`] gives a test a network of its own (needs root, `ip`, `iptables`, `nsenter`, `unshare`, `setpriv`;
//! without them the test says that it was skipped). On it stand [`Host`]s with the addresses and ports that documents
//! print; a [`Plan`] puts servers and clients on hosts and makes a [`Cluster`]. [`Cluster::on_loopback`] needs no
//! rights and gives each agent an address in 127/8, but then nothing can be cut off.
//!
//! A [`nemesis`] kills, pauses, cuts off, drops packets and moves clocks by a schedule that its seed decides;
//! [`load`] reads and writes meanwhile and remembers what it saw for the checkers in [`crate::linearizability`].
//!
//! | environment | |
//! |---|---|
//! | `CONSUL_BIN=/usr/bin/consul` | the binary, here HashiCorp's |
//! | `LINEARIZABILITY_SECONDS=600` | how long each search with a nemesis goes on (default 30) |
//! | `LINEARIZABILITY_SEED=7` | repeats a schedule of faults and a mix of operations |
//! | `LINEARIZABILITY_FAULTS=Kill,Pause` | only these faults (see [`nemesis::Fault`]) |
//!
//! A long search: `LINEARIZABILITY_SECONDS=600 cargo test -p consul-tests --test it -- --nocapture linearizable`.

pub mod clock;
pub mod engine;
mod formation;
pub mod load;
pub mod namespace;
pub mod nemesis;
mod network;

pub use formation::{Cluster, Plan, Role};
pub use network::{Filter, Host, Network};
