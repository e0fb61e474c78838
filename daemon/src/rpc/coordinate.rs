//! Coordinate requests.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::coordinate::NodeCoordinate;
use consul_state::{Version, WatchSet};

use super::RpcError;
use super::read::Read;

/// Coordinates of all nodes or of one.
pub enum CoordinateList {
    All,
    Node(String),
}

impl Read for CoordinateList {
    type Reply = Vec<Arc<NodeCoordinate>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        Ok(match self {
            Self::All => {
                let (index, coordinates) = version.coordinates(seen);
                (index, coordinates.cloned().collect())
            }
            Self::Node(node) => {
                let (index, coordinates) = version.node_coordinates(node, seen);
                (index, coordinates.into_iter().cloned().collect())
            }
        })
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|entry| authorizer.allows(Resource::Node(&entry.node), Access::Read));
        Ok(reply.len() < before)
    }
}
