//! `Catalog.*` and `Health.*`.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::HealthCheck;
use serde::{Deserialize, Serialize};

use super::QuerySource;

/// Methods that concern a datacenter as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DcSpecificRequest {
    pub datacenter: String,
    pub node_meta_filters: Option<StringMap>,
    pub source: QuerySource,
}

/// Methods that concern one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeSpecificRequest {
    pub datacenter: String,
    pub node: String,
}

/// Methods that concern one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceSpecificRequest {
    pub datacenter: String,
    pub node_meta_filters: Option<StringMap>,
    pub service_name: String,
    /// The one tag that releases before 1.3 filter by.
    pub service_tag: String,
    pub service_tags: Option<Vec<String>>,
    /// Whatever runs at this address, in place of a name.
    pub service_address: String,
    /// Filter by tags at all.
    pub tag_filter: bool,
    pub connect: bool,
    pub ingress: bool,
    pub source: QuerySource,
    /// Of a peered cluster; there are none here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peer_name: String,
}

/// `Health.ChecksInState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ChecksInStateRequest {
    pub datacenter: String,
    pub node_meta_filters: Option<StringMap>,
    /// A status, or `any`.
    pub state: String,
    pub source: QuerySource,
}

/// A node, a service on it and the checks of both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckServiceNode {
    pub node: Arc<Node>,
    pub service: Arc<NodeService>,
    pub checks: Arc<[Arc<HealthCheck>]>,
}

/// Answers with nodes or with instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Nodes<T> {
    pub nodes: T,
}

/// `Catalog.ListServices`: tags by name, never nil.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Services<T> {
    pub services: T,
}

/// A row of `Catalog.ServiceList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceName {
    pub name: String,
}

/// `Catalog.ServiceNodes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceNodes<T> {
    pub service_nodes: T,
}

/// `Catalog.NodeServices` and `Catalog.NodeServiceList`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IndexedNodeServices<T> {
    pub node_services: T,
}

/// A node with its services by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeServices {
    pub node: Option<Arc<Node>>,
    pub services: Option<BTreeMap<String, Arc<NodeService>>>,
}

/// A node with its services in order. Both nil if there is no such node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeServiceList {
    pub node: Option<Arc<Node>>,
    pub services: Option<Vec<Arc<NodeService>>>,
}

/// Answers with checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthChecks<T> {
    pub health_checks: T,
}
