//! The room behind the doors: typed requests, and the one path each of them takes.
//!
//! HTTP and DNS make a typed request and hand it to [`Agent::read`](crate::agent::Agent::read) or
//! [`Agent::write`](crate::agent::Agent::write). There, in this order: the token becomes an authorizer, the request is
//! routed, consistency and blocking are seen to, the request runs against a version of the state or becomes a command
//! in the log, and the answer is filtered by what the caller may see.

pub mod catalog;
pub mod config_entry;
pub mod coordinate;
pub mod door;
mod error;
pub mod gateway;
pub mod health;
pub mod intention;
pub mod internal;
pub mod kv;
pub mod methods;
pub mod near;
pub mod operation;
pub mod operator;
mod options;
pub mod path;
pub mod query;
pub mod read;
pub mod remote;
pub mod session;
pub mod snapshot;
pub mod txn;
pub mod write;

pub use error::RpcError;
pub use options::{CacheInfo, Consistency, ReadMeta, ReadOptions, Token, WriteOptions};
