//! The DNS door on real sockets, in front of a catalog held by the test.

mod client;
mod dig;
mod hostile;
mod lookups;
mod recursion;
mod sockets;
mod world;
