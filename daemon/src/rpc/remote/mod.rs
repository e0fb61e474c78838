//! How typed requests travel to another agent: the name of the method, its arguments and its answer as bytes.
//!
//! A request runs where [`Agent::read`](crate::agent::Agent::read), [`Agent::write`](crate::agent::Agent::write) or
//! `Agent::operate` routes it. Here stands what it looks like on the way; what the
//! other side does with it stands in `methods`. Names and fields are those of Consul's RPC, so that
//! either side may be a HashiCorp agent.

use std::future::Future;
use std::sync::Arc;

use super::read::Read;
use super::write::Write;
use super::{ReadMeta, ReadOptions, RpcError, WriteOptions};
use crate::agent::Agent;
use crate::server::Server;

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

    fn reply(body: &[u8]) -> Result<Self::Reply, RpcError>;
}

/// Which server can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Leader,
    AnyServer,
}

/// What a server does for a caller as a whole: several reads, or something beside the state.
pub trait Operation: Send + Sync {
    type Reply: Send;

    fn place(&self) -> Place;

    /// Does it on this server, which is at the right place. Checks the permission itself.
    fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> impl Future<Output = Result<(ReadMeta, Self::Reply), RpcError>> + Send;

    fn method(&self) -> &'static str;

    /// The arguments in MessagePack. `options.datacenter` is never empty here.
    fn arguments(&self, options: &ReadOptions) -> Vec<u8>;

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError>;
}
