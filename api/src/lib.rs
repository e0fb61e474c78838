//! Types, codecs and client of the Consul HTTP API.

pub mod json;
pub mod msgpack;
pub mod snapshot;
pub mod types;
