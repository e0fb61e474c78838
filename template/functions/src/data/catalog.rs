//! Services and nodes of the catalog.

use std::sync::Arc;

use consul_api::types::catalog as api;
use consul_template_language::{Record, Value};

use super::parts::{Str, Strings, Tags, ToValue};
use super::rows::{Rows, record, row};

/// The name of a service, and the tags of all its instances.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct ServiceName {
    pub name: Str,
    pub tags: Tags,
}

row!(ServiceName, "*dependency.CatalogSnippet", { "Name" => name, "Tags" => tags, });

/// All services by name.
pub fn services(services: api::Services) -> Rows<ServiceName> {
    let row = |(name, tags): (String, Vec<String>)| ServiceName {
        name: name.into(),
        tags: Tags::sorted(Some(tags)),
    };
    services.into_iter().map(row).collect()
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Node {
    pub id: Str,
    pub node: Str,
    pub address: Str,
    pub datacenter: Str,
    pub tagged_addresses: Strings,
    pub meta: Strings,
}

row!(Node, "*dependency.Node", {
    "ID" => id,
    "Node" => node,
    "Address" => address,
    "Datacenter" => datacenter,
    "TaggedAddresses" => tagged_addresses,
    "Meta" => meta,
});

impl From<api::Node> for Node {
    fn from(node: api::Node) -> Self {
        Node {
            id: node.id.into(),
            node: node.node.into(),
            address: node.address.into(),
            datacenter: node.datacenter.into(),
            tagged_addresses: node.tagged_addresses.into(),
            meta: node.meta.into(),
        }
    }
}

/// Nodes in order of name and address, unless the server sorted them by distance.
pub fn nodes(nodes: Vec<api::Node>, by_distance: bool) -> Rows<Node> {
    let mut nodes: Vec<Node> = nodes.into_iter().map(Node::from).collect();
    if !by_distance {
        nodes.sort_by(|a, b| (&a.node, &a.address).cmp(&(&b.node, &b.address)));
    }
    nodes.into_iter().collect()
}

/// An instance of a service, as part of its node.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct NodeService {
    pub id: Str,
    pub service: Str,
    pub tags: Tags,
    pub meta: Strings,
    pub port: i64,
    pub address: Str,
    pub enable_tag_override: bool,
}

row!(NodeService, "*dependency.CatalogNodeService", {
    "ID" => id,
    "Service" => service,
    "Tags" => tags,
    "Meta" => meta,
    "Port" => port,
    "Address" => address,
    "EnableTagOverride" => enable_tag_override,
});

impl From<api::NodeService> for NodeService {
    fn from(from: api::NodeService) -> Self {
        NodeService {
            id: from.id.into(),
            service: from.service.into(),
            tags: Tags::sorted(from.tags),
            meta: from.meta.into(),
            port: from.port,
            address: from.address.into(),
            enable_tag_override: from.enable_tag_override,
        }
    }
}

/// A node, if there is one of the name asked for, and what runs on it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct NodeServices {
    pub node: NodeIfAny,
    pub services: Rows<NodeService>,
}

record!(NodeServices, "*dependency.CatalogNode", { "Node" => node, "Services" => services, });

impl From<Option<api::NodeServices>> for NodeServices {
    fn from(found: Option<api::NodeServices>) -> Self {
        let Some(found) = found else { return NodeServices::default() };
        let mut services: Vec<NodeService> = found.services.into_values().map(NodeService::from).collect();
        services.sort_by(|a, b| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
        NodeServices {
            node: NodeIfAny(Some(Arc::new(found.node.into()))),
            services: services.into_iter().collect(),
        }
    }
}

/// A node, or a pointer to none.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NodeIfAny(pub Option<Arc<Node>>);

impl ToValue for NodeIfAny {
    fn to_value(&self) -> Value {
        match &self.0 {
            Some(node) => Value::Record(Arc::clone(node) as Arc<dyn Record>),
            None => Value::NilPtr("*dependency.Node"),
        }
    }
}
