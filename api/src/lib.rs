//! Types, codecs and client of the Consul HTTP API.

#[cfg(feature = "client")]
pub mod client;
pub mod json;
pub mod msgpack;
pub mod remote_exec;
pub mod snapshot;
pub mod types;
