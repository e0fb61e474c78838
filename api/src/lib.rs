//! Types, codecs and client of the Consul HTTP API.

pub mod json;
pub mod types;
