//! `Coordinate.*`.

use std::sync::Arc;

use consul_api::types::coordinate::NodeCoordinate;
use consul_rpc::messages::coordinate::Coordinates;

use super::RemoteRead;
use super::catalog::{one_node, whole_datacenter};
use super::common::answer;
use crate::rpc::coordinate::CoordinateList;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for CoordinateList {
    fn method(&self) -> &'static str {
        match self {
            Self::All => "Coordinate.ListNodes",
            Self::Node(_) => "Coordinate.Node",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        match self {
            Self::All => whole_datacenter(options),
            Self::Node(node) => one_node(node, options),
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Coordinates<Vec<Arc<NodeCoordinate>>>>(body)?;
        Ok((meta, found.coordinates))
    }
}
