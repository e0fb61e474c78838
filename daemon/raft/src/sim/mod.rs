//! The simulated world: several servers in one process, on a network and on disks that fail as a seed decides.
//!
//! Everything above them is what runs in production: openraft, the proposer, the lease, the elector, snapshots. Time
//! is simulated, so a minute passes in milliseconds. `SIM_SEEDS=n` runs more seeds, `SIM_SEED=n` runs a single one.
//!
//! What a run proves and what not: the order of messages, flushes, crashes and timers is explored; SQLite, threads and
//! real sockets are not part of it, and a run of a seed repeats another only as far as openraft and tokio take no
//! randomness of their own.

pub mod disk;
mod network;
mod scenarios;
mod truth;
mod world;
