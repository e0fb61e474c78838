//! What must happen once in a cluster, and therefore happens on the leader: session expiry, lock delays, tombstone
//! collection, the leader's view of its own members.

pub mod deadlines;
pub mod lock_delay;
