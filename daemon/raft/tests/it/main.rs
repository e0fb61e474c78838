//! The log as its users see it: one durable server, clusters in memory, and processes killed at
//! random moments.

mod cluster;
mod durable;
mod journal;
mod kill;
mod recovery;
mod restore;
