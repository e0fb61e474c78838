//! Nodes and the service instances that run on them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{StringMap, omit};

/// A machine (or an external address) in the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Node {
    /// A UUID, or empty for nodes registered without one.
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub datacenter: String,
    pub tagged_addresses: Option<StringMap>,
    pub meta: Option<StringMap>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// How DNS weighs an instance in SRV answers, by health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Weights {
    pub passing: i64,
    pub warning: i64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { passing: 1, warning: 1 }
    }
}

/// An address of a service under a tag such as `lan` or `wan`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceAddress {
    pub address: String,
    pub port: i64,
}

/// One instance of a service, as stored under its node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeService {
    /// Empty for an ordinary service; `connect-proxy`, `mesh-gateway` and so on otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(rename = "ID")]
    pub id: String,
    pub service: String,
    pub tags: Option<Vec<String>>,
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged_addresses: Option<BTreeMap<String, ServiceAddress>>,
    pub meta: Option<StringMap>,
    pub port: i64,
    /// Named ports, instead of `port`, of an instance that listens on several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<ServicePort>>,
    /// A Unix socket the instance listens on instead of a port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket_path: String,
    pub weights: Option<Weights>,
    pub enable_tag_override: bool,
    pub proxy: ProxyConfig,
    pub connect: ServiceConnect,
    pub create_index: u64,
    pub modify_index: u64,
}

impl NodeService {
    /// The port for whoever can use only one: the only one, or the default of several, which is the first unless another
    /// is marked.
    pub fn default_port(&self) -> i64 {
        let Some(ports) = self.ports.as_deref().filter(|_| self.port == 0) else { return self.port };
        let chosen = ports.iter().find(|port| port.default).or(ports.first());
        chosen.map_or(0, |port| port.port)
    }
}

/// A port of an instance that listens on several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServicePort {
    /// Unique within the instance.
    pub name: String,
    /// 1 to 65535.
    pub port: i64,
    /// The one for whoever can use only one.
    #[serde(alias = "default")]
    pub default: bool,
}

impl ServicePort {
    /// What is wrong with an instance that has `port` and these: each needs a name of its own, at most one is the default,
    /// and both forms together would contradict each other.
    pub fn problem(port: i64, ports: &[Self]) -> Option<String> {
        if port != 0 && !ports.is_empty() {
            return Some("Port and Ports cannot be set together".to_owned());
        }
        for (number, port) in ports.iter().enumerate() {
            let name = &port.name;
            if name.is_empty() {
                return Some(format!("Ports: entry {} has no name", number + 1));
            }
            if !(1..=65_535).contains(&port.port) {
                return Some(format!("Ports: {} of {name:?} is not between 1 and 65535", port.port));
            }
            if ports.iter().take(number).any(|other| other.name == *name) {
                return Some(format!("Ports: the name {name:?} is given twice"));
            }
        }
        let defaults = ports.iter().filter(|port| port.default).count();
        (defaults > 1).then(|| "Ports: more than one is the default".to_owned())
    }
}

/// How a sidecar or gateway instance proxies; stored and served, never acted upon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ProxyConfig {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination_service_name: String,
    #[serde(rename = "DestinationServiceID", skip_serializing_if = "String::is_empty")]
    pub destination_service_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_service_address: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub local_service_port: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstreams: Option<Vec<Upstream>>,
    pub mesh_gateway: MeshGateway,
    pub expose: Expose,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Upstream {
    pub destination_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination_namespace: String,
    pub destination_name: String,
    pub datacenter: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub local_bind_address: String,
    pub local_bind_port: i64,
    pub config: Option<serde_json::Map<String, serde_json::Value>>,
    pub mesh_gateway: MeshGateway,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress_hosts: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MeshGateway {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mode: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Expose {
    #[serde(skip_serializing_if = "omit::default")]
    pub checks: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<ExposePath>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExposePath {
    #[serde(skip_serializing_if = "omit::default")]
    pub listener_port: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub local_path_port: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub parsed_from_check: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceConnect {
    #[serde(skip_serializing_if = "omit::default")]
    pub native: bool,
}

/// A service instance and its node in one flat object: the rows of `/v1/catalog/service`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceNode {
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub datacenter: String,
    pub tagged_addresses: Option<StringMap>,
    pub node_meta: Option<StringMap>,
    pub service_kind: String,
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    pub service_name: String,
    pub service_tags: Option<Vec<String>>,
    pub service_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tagged_addresses: Option<BTreeMap<String, ServiceAddress>>,
    pub service_weights: Weights,
    pub service_meta: Option<StringMap>,
    pub service_port: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_ports: Option<Vec<ServicePort>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_socket_path: String,
    pub service_enable_tag_override: bool,
    pub service_proxy: ProxyConfig,
    pub service_connect: ServiceConnect,
    pub create_index: u64,
    pub modify_index: u64,
}

impl ServiceNode {
    /// The flat form of `service` on `node`. Indexes are the instance's.
    pub fn new(node: &Node, service: &NodeService) -> Self {
        Self {
            id: node.id.clone(),
            node: node.node.clone(),
            address: node.address.clone(),
            datacenter: node.datacenter.clone(),
            tagged_addresses: node.tagged_addresses.clone(),
            node_meta: node.meta.clone(),
            service_kind: service.kind.clone(),
            service_id: service.id.clone(),
            service_name: service.service.clone(),
            service_tags: service.tags.clone(),
            service_address: service.address.clone(),
            service_tagged_addresses: service.tagged_addresses.clone(),
            service_weights: service.weights.unwrap_or_default(),
            service_meta: service.meta.clone(),
            service_port: service.port,
            service_ports: service.ports.clone(),
            service_socket_path: service.socket_path.clone(),
            service_enable_tag_override: service.enable_tag_override,
            service_proxy: service.proxy.clone(),
            service_connect: service.connect.clone(),
            create_index: service.create_index,
            modify_index: service.modify_index,
        }
    }
}

/// A node with its services by id: `/v1/catalog/node/:node`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeServices {
    pub node: Node,
    pub services: BTreeMap<String, NodeService>,
}

/// A node with its services in order of id: `/v1/catalog/node-services/:node`. Both absent for an unknown node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeServiceList {
    pub node: Option<Node>,
    pub services: Option<Vec<NodeService>>,
}

/// Tags by service name: `/v1/catalog/services`.
pub type Services = BTreeMap<String, Vec<String>>;
