//! `Catalog.*`, and the instances that `Health.ServiceNodes` lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::catalog::{Node, ServiceNode};
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_rpc::messages::catalog::{
    CheckServiceNode, DcSpecificRequest, IndexedNodeServices, NodeServices, NodeSpecificRequest, Nodes,
    ServiceNodes, ServiceSpecificRequest, Services,
};
use consul_rpc::messages::{Nothing, encode};
use consul_state::catalog::{Instance, Lookup};

use super::common::{answer, query_options, source_of, whole, write_request};
use super::{RemoteRead, RemoteWrite};
use crate::rpc::catalog::{
    Deregister, HealthWanted, NodeList, NodeServicesOf, NodeWithServices, Register, ServiceInstances,
    ServiceNames, ServicesAt, is_passing,
};
use crate::rpc::gateway::{ExposingGateways, GatewayService, GatewayServices};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

/// A filter by metadata as it travels: nil for none.
pub fn filters(node_meta: &StringMap) -> Option<StringMap> {
    (!node_meta.is_empty()).then(|| node_meta.clone())
}

pub fn instance(row: CheckServiceNode) -> Instance {
    Instance { node: row.node, service: row.service, checks: row.checks }
}

/// The arguments of methods that take nothing but a datacenter.
pub fn whole_datacenter(options: &ReadOptions) -> Vec<u8> {
    let own = DcSpecificRequest { datacenter: options.datacenter.clone(), ..DcSpecificRequest::default() };
    encode(&own, &query_options(options))
}

/// The arguments of methods about one node.
pub fn one_node(node: &str, options: &ReadOptions) -> Vec<u8> {
    let own = NodeSpecificRequest { datacenter: options.datacenter.clone(), node: node.to_owned() };
    encode(&own, &query_options(options))
}

impl RemoteRead for NodeList {
    fn method(&self) -> &'static str {
        "Catalog.ListNodes"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = DcSpecificRequest {
            datacenter: options.datacenter.clone(),
            node_meta_filters: filters(&self.node_meta),
            source: source_of(&self.near, options),
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Nodes<Vec<Arc<Node>>>>(body)?;
        Ok((meta, found.nodes))
    }
}

impl RemoteRead for ServiceNames {
    fn method(&self) -> &'static str {
        "Catalog.ListServices"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = DcSpecificRequest {
            datacenter: options.datacenter.clone(),
            node_meta_filters: filters(&self.node_meta),
            ..DcSpecificRequest::default()
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Services<BTreeMap<String, Vec<String>>>>(body)?;
        Ok((meta, found.services))
    }
}

fn request(wanted: &ServiceInstances, options: &ReadOptions) -> ServiceSpecificRequest {
    let tags = &wanted.tags;
    ServiceSpecificRequest {
        datacenter: options.datacenter.clone(),
        node_meta_filters: filters(&wanted.node_meta),
        service_name: wanted.service.clone(),
        service_tag: tags.first().cloned().unwrap_or_default(),
        service_tags: (!tags.is_empty()).then(|| tags.clone()),
        tag_filter: !tags.is_empty(),
        connect: wanted.lookup == Lookup::Connect,
        source: source_of(&wanted.near, options),
        ..ServiceSpecificRequest::default()
    }
}

/// Instances come with their checks always: who wants the healthy ones needs them, and older servers cannot choose.
impl RemoteRead for ServiceInstances {
    fn method(&self) -> &'static str {
        "Health.ServiceNodes"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        encode(&request(self, options), &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Nodes<Vec<CheckServiceNode>>>(body)?;
        let wanted = |row: &Instance| self.health == HealthWanted::Any || is_passing(row);
        Ok((meta, found.nodes.into_iter().map(instance).filter(wanted).collect()))
    }
}

impl RemoteRead for ServicesAt {
    fn method(&self) -> &'static str {
        "Catalog.ServiceNodes"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = ServiceSpecificRequest {
            datacenter: options.datacenter.clone(),
            service_address: self.address.to_string(),
            ..ServiceSpecificRequest::default()
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<ServiceNodes<Vec<ServiceNode>>>(body)?;
        Ok((meta, found.service_nodes))
    }
}

impl RemoteRead for GatewayServices {
    fn method(&self) -> &'static str {
        "Catalog.GatewayServices"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = ServiceSpecificRequest {
            datacenter: options.datacenter.clone(),
            service_name: self.gateway.clone(),
            ..ServiceSpecificRequest::default()
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<Services<Vec<GatewayService>>>(body)?;
        Ok((meta, found.services))
    }
}

impl RemoteRead for ExposingGateways {
    fn method(&self) -> &'static str {
        self.instances.method()
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = ServiceSpecificRequest { ingress: true, ..request(&self.instances, options) };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        self.instances.reply(body)
    }
}

impl RemoteRead for NodeServicesOf {
    fn method(&self) -> &'static str {
        "Catalog.NodeServices"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        one_node(&self.node, options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<IndexedNodeServices<Option<NodeServices>>>(body)?;
        let with_services = |found: NodeServices| {
            Some(NodeWithServices { node: found.node?, services: found.services.unwrap_or_default() })
        };
        Ok((meta, found.node_services.and_then(with_services)))
    }
}

impl RemoteWrite for Register {
    fn method(&self) -> &'static str {
        "Catalog.Register"
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let own = RegisterRequest { datacenter: options.datacenter.clone(), ..self.0.clone() };
        encode(&own, &write_request(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(), RpcError> {
        whole::<Nothing>(body).map(|_| ())
    }
}

impl RemoteWrite for Deregister {
    fn method(&self) -> &'static str {
        "Catalog.Deregister"
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let own = DeregisterRequest { datacenter: options.datacenter.clone(), ..self.0.clone() };
        encode(&own, &write_request(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(), RpcError> {
        whole::<Nothing>(body).map(|_| ())
    }
}
