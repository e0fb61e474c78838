//! Reports of coordinates, and where the datacenters lie.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::coordinate::{Coordinate, DatacenterCoordinates, NodeCoordinate};
use consul_rpc::messages::coordinate::CoordinateUpdateRequest;
use consul_rpc::messages::{Nothing, encode, value};

use super::here;
use crate::agent::Agent;
use crate::cluster::distance;
use crate::rpc::path::Need;
use crate::rpc::remote::{Operation, whole, write_request};
use crate::rpc::write::require;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// A node reports where it is.
pub struct ReportCoordinate(pub NodeCoordinate);

impl Operation for ReportCoordinate {
    type Reply = ();

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, ()), RpcError> {
        let update = &self.0;
        let authorizer = agent.authorize(&options.token)?;
        require(authorizer.allows(Resource::Node(&update.node), Access::Write))?;
        if !update.coord.as_ref().is_some_and(Coordinate::is_valid) {
            return Err(RpcError::refused("incompatible coordinate"));
        }
        // An unknown node's report would be dropped when it is applied; keeping it until then would cost memory.
        if server.store.version().node(&update.node).is_some() {
            server.coordinates.push(update.clone());
        }
        Ok((here(), ()))
    }

    fn method(&self) -> &'static str {
        "Coordinate.Update"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let NodeCoordinate { node, segment, coord } = self.0.clone();
        let own = CoordinateUpdateRequest { datacenter: options.datacenter.clone(), node, segment, coord };
        encode(&own, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, ()), RpcError> {
        whole::<Nothing>(body).map(|_| (here(), ()))
    }
}

/// Servers of each datacenter by their place in the WAN.
pub struct DatacenterMap;

impl Operation for DatacenterMap {
    type Reply = Vec<DatacenterCoordinates>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::AnyServer
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        _: &Arc<Server>,
        _: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (from, places) = agent.places().await;
        let order = distance::nearest_first(&agent.identity.datacenter, &from, &places);
        Ok((here(), distance::map(&order, &places)))
    }

    fn method(&self) -> &'static str {
        "Coordinate.ListDatacenters"
    }

    fn arguments(&self, _: &ReadOptions) -> Vec<u8> {
        value(&Nothing {})
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        Ok((here(), whole(body)?))
    }
}
