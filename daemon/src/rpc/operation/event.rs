//! Firing events.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::bytes::Blob;
use consul_rpc::messages::internal::EventFireRequest;
use consul_rpc::messages::{Nothing, encode};

use super::here;
use crate::agent::Agent;
use crate::rpc::path::{Need, Repeat};
use crate::rpc::remote::{Operation, answer, query_options};
use crate::rpc::write::require;
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Tells all agents of a datacenter. Any server does it.
pub struct FireEvent {
    /// As users know it.
    pub name: String,
    /// As agents exchange it.
    pub payload: Blob,
}

impl Operation for FireEvent {
    type Reply = ();

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotSent
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        _: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, ()), RpcError> {
        require(agent.authorize(&options.token)?.allows(Resource::Event(&self.name), Access::Write))?;
        let fired = agent.cluster().fire_event(agent, &self.name, self.payload.as_slice()).await;
        fired.map_err(RpcError::Refused)?;
        Ok((here(), ()))
    }

    fn method(&self) -> &'static str {
        "Internal.EventFire"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let stale = ReadOptions { consistency: Consistency::Stale { max: None }, ..options.clone() };
        let own = EventFireRequest {
            datacenter: options.datacenter.clone(),
            name: self.name.clone(),
            payload: self.payload.clone(),
        };
        encode(&own, &query_options(&stale))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, ()), RpcError> {
        answer::<Nothing>(body).map(|(meta, _)| (meta, ()))
    }
}
