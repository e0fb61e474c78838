//! Which datacenters there are.

use std::sync::Arc;

use consul_api::types::coordinate::Coordinate;
use consul_rpc::messages::{Nothing, encode};

use super::here;
use crate::agent::Agent;
use crate::cluster::distance::{Place, nearest_first};
use crate::rpc::path::Need;
use crate::rpc::remote::{Operation, query_options, whole};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Names of all datacenters that the asked server knows, the nearest first.
pub struct ListDatacenters;

impl Operation for ListDatacenters {
    type Reply = Vec<String>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        _: &Arc<Server>,
        _: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        Ok((here(), agent.datacenters().await))
    }

    fn method(&self) -> &'static str {
        "Catalog.ListDatacenters"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        encode(&Nothing {}, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        Ok((here(), whole(body)?))
    }
}

impl Agent {
    /// This server's place in the WAN, and those of all servers there.
    pub async fn places(&self) -> (Coordinate, Vec<Place>) {
        match &self.gossip {
            Some(gossip) => gossip.places().await,
            None => Default::default(),
        }
    }

    /// Datacenters that this server knows, its own first, then the nearest first.
    pub async fn datacenters(&self) -> Vec<String> {
        let (from, places) = self.places().await;
        nearest_first(&self.identity.datacenter, &from, &places)
    }
}
