//! How the API's objects show their fields to a filter, and views of objects that are stored in parts.

use consul_api::types::agent::{AgentService, ConnectDefinition};
use consul_api::types::catalog::{
    Expose, ExposePath, MeshGateway, Node, NodeService, ProxyConfig, ServiceAddress, ServiceConnect,
    ServiceNode, Upstream, Weights,
};
use consul_api::types::health::{CheckServiceNode, HealthCheck, NodeInfo};

use crate::subject::{ObjectMap, Objects, StringMap, Strings, Subject, Value};

/// A node and an instance on it, read as the flat [`ServiceNode`] without building one.
#[derive(Clone, Copy, Debug)]
pub struct ServiceRow<'a> {
    /// The node.
    pub node: &'a Node,
    /// The service instance on it.
    pub service: &'a NodeService,
}

/// A node, an instance and their checks, read as a [`CheckServiceNode`] without building one.
#[derive(Clone, Copy, Debug)]
pub struct HealthRow<'a, C> {
    /// The node.
    pub node: &'a Node,
    /// The service instance on it.
    pub service: &'a NodeService,
    /// The checks of both: any list of objects, such as `Vec<&HealthCheck>`.
    pub checks: C,
}

fn text(text: &str) -> Value<'_> {
    Value::Str(text)
}

fn strings<S: Strings>(list: &Option<S>) -> Value<'_> {
    list.as_ref().map_or(Value::Zero, |list| Value::Strings(list))
}

fn map<M: StringMap>(map: &Option<M>) -> Value<'_> {
    map.as_ref().map_or(Value::Zero, |map| Value::StringMap(map))
}

fn objects<O: Objects>(list: &Option<O>) -> Value<'_> {
    list.as_ref().map_or(Value::Zero, |list| Value::Objects(list))
}

fn object_map<M: ObjectMap>(map: &Option<M>) -> Value<'_> {
    map.as_ref().map_or(Value::Zero, |map| Value::ObjectMap(map))
}

impl Subject for Node {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "ID" => text(&self.id),
            "Node" => text(&self.node),
            "Address" => text(&self.address),
            "Datacenter" => text(&self.datacenter),
            "TaggedAddresses" => map(&self.tagged_addresses),
            "Meta" => map(&self.meta),
            _ => Value::Zero,
        }
    }
}

impl Subject for NodeService {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Kind" => text(&self.kind),
            "ID" => text(&self.id),
            "Service" => text(&self.service),
            "Tags" => strings(&self.tags),
            "Address" => text(&self.address),
            "TaggedAddresses" => object_map(&self.tagged_addresses),
            "Meta" => map(&self.meta),
            "Port" => Value::Int(self.port),
            "Weights" => Value::object(self.weights.as_ref()),
            "EnableTagOverride" => Value::Bool(self.enable_tag_override),
            "Proxy" => Value::Object(&self.proxy),
            "Connect" => Value::Object(&self.connect),
            _ => Value::Zero,
        }
    }
}

impl Subject for AgentService {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Kind" => text(&self.kind),
            "ID" => text(&self.id),
            "Service" => text(&self.service),
            "Tags" => Value::Strings(&self.tags),
            "Address" => text(&self.address),
            "TaggedAddresses" => object_map(&self.tagged_addresses),
            "Meta" => Value::StringMap(&self.meta),
            "Port" => Value::Int(self.port),
            "Weights" => Value::Object(&self.weights),
            "EnableTagOverride" => Value::Bool(self.enable_tag_override),
            "Proxy" => Value::object(self.proxy.as_ref()),
            "Connect" => Value::object(self.connect.as_ref()),
            _ => Value::Zero,
        }
    }
}

impl Subject for ServiceNode {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "ID" => text(&self.id),
            "Node" => text(&self.node),
            "Address" => text(&self.address),
            "Datacenter" => text(&self.datacenter),
            "TaggedAddresses" => map(&self.tagged_addresses),
            "NodeMeta" => map(&self.node_meta),
            "ServiceKind" => text(&self.service_kind),
            "ServiceID" => text(&self.service_id),
            "ServiceName" => text(&self.service_name),
            "ServiceTags" => strings(&self.service_tags),
            "ServiceAddress" => text(&self.service_address),
            "ServiceTaggedAddresses" => object_map(&self.service_tagged_addresses),
            "ServiceWeights" => Value::Object(&self.service_weights),
            "ServiceMeta" => map(&self.service_meta),
            "ServicePort" => Value::Int(self.service_port),
            "ServiceEnableTagOverride" => Value::Bool(self.service_enable_tag_override),
            "ServiceProxy" => Value::Object(&self.service_proxy),
            "ServiceConnect" => Value::Object(&self.service_connect),
            _ => Value::Zero,
        }
    }
}

impl Subject for ServiceRow<'_> {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "NodeMeta" => map(&self.node.meta),
            "ServiceName" => text(&self.service.service),
            // The flat form fills in the weights that an instance without any has.
            "ServiceWeights" => Value::Object(self.service.weights.as_ref().unwrap_or(&DEFAULT_WEIGHTS)),
            other => match other.strip_prefix("Service") {
                Some(of_service) => self.service.field(of_service),
                None => self.node.field(other),
            },
        }
    }
}

static DEFAULT_WEIGHTS: Weights = Weights { passing: 1, warning: 1 };

impl Subject for ServiceAddress {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Address" => text(&self.address),
            "Port" => Value::Int(self.port),
            _ => Value::Zero,
        }
    }
}

impl Subject for Weights {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Passing" => Value::Int(self.passing),
            "Warning" => Value::Int(self.warning),
            _ => Value::Zero,
        }
    }
}

impl Subject for ServiceConnect {
    fn field(&self, name: &str) -> Value<'_> {
        if name == "Native" { Value::Bool(self.native) } else { Value::Zero }
    }
}

impl Subject for ConnectDefinition {
    fn field(&self, name: &str) -> Value<'_> {
        if name == "Native" { Value::Bool(self.native) } else { Value::Zero }
    }
}

impl Subject for ProxyConfig {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "DestinationServiceName" => text(&self.destination_service_name),
            "DestinationServiceID" => text(&self.destination_service_id),
            "LocalServiceAddress" => text(&self.local_service_address),
            "LocalServicePort" => Value::Int(self.local_service_port),
            "Upstreams" => objects(&self.upstreams),
            "MeshGateway" => Value::Object(&self.mesh_gateway),
            "Expose" => Value::Object(&self.expose),
            _ => Value::Zero,
        }
    }
}

impl Subject for Upstream {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "DestinationType" => text(&self.destination_type),
            "DestinationNamespace" => text(&self.destination_namespace),
            "DestinationName" => text(&self.destination_name),
            "Datacenter" => text(&self.datacenter),
            "LocalBindAddress" => text(&self.local_bind_address),
            "LocalBindPort" => Value::Int(self.local_bind_port),
            "MeshGateway" => Value::Object(&self.mesh_gateway),
            _ => Value::Zero,
        }
    }
}

impl Subject for MeshGateway {
    fn field(&self, name: &str) -> Value<'_> {
        if name == "Mode" { text(&self.mode) } else { Value::Zero }
    }
}

impl Subject for Expose {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Checks" => Value::Bool(self.checks),
            "Paths" => objects(&self.paths),
            _ => Value::Zero,
        }
    }
}

impl Subject for ExposePath {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "ListenerPort" => Value::Int(self.listener_port),
            "Path" => text(&self.path),
            "LocalPathPort" => Value::Int(self.local_path_port),
            "Protocol" => text(&self.protocol),
            "ParsedFromCheck" => Value::Bool(self.parsed_from_check),
            _ => Value::Zero,
        }
    }
}

impl Subject for HealthCheck {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Node" => text(&self.node),
            "CheckID" => text(&self.check_id),
            "Name" => text(&self.name),
            "Status" => text(&self.status),
            "Notes" => text(&self.notes),
            "Output" => text(&self.output),
            "ServiceID" => text(&self.service_id),
            "ServiceName" => text(&self.service_name),
            "ServiceTags" => strings(&self.service_tags),
            "Type" => text(&self.r#type),
            _ => Value::Zero,
        }
    }
}

impl Subject for CheckServiceNode {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Node" => Value::Object(&self.node),
            "Service" => Value::Object(&self.service),
            "Checks" => Value::Objects(&self.checks),
            _ => Value::Zero,
        }
    }
}

impl<C: Objects> Subject for HealthRow<'_, C> {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Node" => Value::Object(self.node),
            "Service" => Value::Object(self.service),
            "Checks" => Value::Objects(&self.checks),
            _ => Value::Zero,
        }
    }
}

impl Subject for NodeInfo {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "ID" => text(&self.id),
            "Node" => text(&self.node),
            "Address" => text(&self.address),
            "TaggedAddresses" => map(&self.tagged_addresses),
            "Meta" => map(&self.meta),
            "Services" => Value::Objects(&self.services),
            "Checks" => Value::Objects(&self.checks),
            _ => Value::Zero,
        }
    }
}
