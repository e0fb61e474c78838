//! All replicated state of one datacenter, in memory: catalog, key/value store, sessions, prepared queries,
//! access-control tables and the rest.
//!
//! Kept apart from everything that does I/O or reads a clock, because the same commands must give the same state on
//! every server: times, random ids and lock-delay verdicts are decided by whoever proposes a command and travel in it.
//!
//! * [`Store`] holds the current [`Version`]. One writer applies [`Command`]s in log order; each batch publishes one
//!   new immutable version. Readers hold a version as long as they like and never lock.
//! * Every committed command takes the next number of one counter. Create and modify indexes come from it.
//! * Every read records in a [`WatchSet`] what it depends on; [`Store::watch`] turns that into a [`Watcher`] that
//!   resolves when any of it changes.
//!
//! The order for a blocking read is: take a version, evaluate, compare the index, register, look at the version
//! again, sleep. [`Store::read_blocking`] is that loop.

pub mod acl;
pub mod autopilot;
pub mod catalog;
pub mod command;
pub mod config_entry;
pub mod coordinate;
pub mod error;
pub mod id;
pub mod intention;
pub mod kv;
mod names;
pub mod query;
mod radix;
pub mod session;
pub mod snapshot;
mod sorted;
pub mod store;
pub mod table;
pub mod txn;
pub mod version;
pub mod watch;
mod writer;

pub use catalog::{Instance, Instances, Lookup, NodeEntry};
pub use command::{Command, Effects, KvCommand, LockDelay, Outcome, Reply};
pub use error::ApplyError;
pub use snapshot::{Restored, SnapshotError};
pub use store::Store;
pub use table::Table;
pub use version::Version;
pub use watch::{WatchSet, Watcher};
