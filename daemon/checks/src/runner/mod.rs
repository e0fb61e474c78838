//! One file per kind of check; each runs once and says what it found.
//!
//! Runners know neither the check's id nor its history: scheduling, thresholds and logging are the monitor's.

pub mod docker;
pub mod grpc;
pub mod h2ping;
pub mod http;
mod http_exchange;
pub mod os_service;
pub mod script;
pub mod tcp;
pub mod udp;

pub use http_exchange::HttpEnv;
