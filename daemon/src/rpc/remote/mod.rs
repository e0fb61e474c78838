//! How typed requests travel to another agent: the name of the method, its arguments and its answer as bytes.
//!
//! A request runs where [`Agent::read`](crate::agent::Agent::read), [`Agent::write`](crate::agent::Agent::write) or
//! `Agent::operate` routes it. Here stands what it looks like on the way; what the
//! other side does with it stands in `methods`. Names and fields are those of Consul's RPC, so that
//! either side may be a HashiCorp agent.

mod catalog;
mod common;
mod config_entry;
mod coordinate;
mod health;
mod intention;
mod internal;
mod kv;
mod operator;
mod query;
mod session;
mod txn;

use std::future::Future;
use std::sync::Arc;

use super::path::{Need, Repeat};
use super::read::Read;
use super::write::Write;
use super::{ReadMeta, ReadOptions, RpcError, WriteOptions};
use crate::agent::Agent;
use crate::server::Server;

pub use catalog::{instance, one_node, whole_datacenter};
pub use common::{
    answer, query_meta, query_options, read_options, unreadable, whole, write_options, write_request,
};
pub use config_entry::Deleted;
pub use intention::{NAMESPACE, side_name};
pub use kv::is_conditional;

/// A read that another server can answer.
pub trait RemoteRead: Read {
    /// The method that answers it, such as `KVS.Get`.
    fn method(&self) -> &'static str;

    /// The arguments in MessagePack. `options.datacenter` is never empty here.
    fn arguments(&self, options: &ReadOptions) -> Vec<u8>;

    /// The answer from its MessagePack.
    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError>;
}

/// A write that another server can do.
pub trait RemoteWrite: Write {
    fn method(&self) -> &'static str;

    /// The arguments in MessagePack. `options.datacenter` is never empty here.
    fn arguments(&self, options: &WriteOptions) -> Vec<u8>;

    /// The answer from its MessagePack. What it means may depend on what was written.
    fn reply(&self, body: &[u8]) -> Result<Self::Reply, RpcError>;
}

/// What a server does for a caller as a whole: several reads, a read and a write, or something beside the state.
pub trait Operation: Send + Sync {
    type Reply: Send;

    /// Which server of its datacenter does it.
    fn need(&self, options: &ReadOptions) -> Need {
        options.consistency.into()
    }

    /// Whether it can be asked for again when it is not known to have happened.
    fn repeat(&self) -> Repeat {
        Repeat::Always
    }

    /// Does it on this server, which is the one that it needs. Checks the permission itself.
    fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> impl Future<Output = Result<(ReadMeta, Self::Reply), RpcError>> + Send;

    fn method(&self) -> &'static str;

    /// The arguments in MessagePack. `options.datacenter` is never empty here.
    fn arguments(&self, options: &ReadOptions) -> Vec<u8>;

    /// The answer from its MessagePack.
    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError>;
}
