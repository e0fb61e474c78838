//! `Internal.*`.

use std::sync::Arc;

use consul_api::types::catalog::Node;
use consul_rpc::messages::catalog::{CheckServiceNode, Nodes};
use consul_rpc::messages::encode;
use consul_rpc::messages::internal::{NodeDump, NodeInfo, ServiceDumpRequest};

use super::RemoteRead;
use super::catalog::{instance, one_node, whole_datacenter};
use super::common::{answer, query_options};
use crate::rpc::internal::{AllInstances, NodeDetail, NodeDetails};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for NodeDetails {
    fn method(&self) -> &'static str {
        match self {
            Self::All => "Internal.NodeDump",
            Self::Node(_) => "Internal.NodeInfo",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        match self {
            Self::All => whole_datacenter(options),
            Self::Node(node) => one_node(node, options),
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<NodeDump>(body)?;
        Ok((meta, found.dump.into_iter().map(detail).collect()))
    }
}

/// Indexes of the node do not travel.
fn detail(info: NodeInfo) -> NodeDetail {
    let NodeInfo { id, node, address, tagged_addresses, meta, services, checks } = info;
    let node = Arc::new(Node { id, node, address, tagged_addresses, meta, ..Node::default() });
    NodeDetail { node, services, checks }
}

impl RemoteRead for AllInstances {
    fn method(&self) -> &'static str {
        "Internal.ServiceDump"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own =
            ServiceDumpRequest { datacenter: options.datacenter.clone(), ..ServiceDumpRequest::default() };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Nodes<Vec<CheckServiceNode>>>(body)?;
        Ok((meta, found.nodes.into_iter().map(instance).collect()))
    }
}
