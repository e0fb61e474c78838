//! Bodies of writes that are more than the object written.

use serde::{Deserialize, Serialize};

use super::StringMap;
use super::catalog::NodeService;
use super::health::HealthCheck;

/// Puts a node, and optionally a service and checks on it, into the catalog.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegisterRequest {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub datacenter: String,
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub tagged_addresses: Option<StringMap>,
    pub node_meta: Option<StringMap>,
    pub service: Option<NodeService>,
    pub check: Option<HealthCheck>,
    pub checks: Option<Vec<HealthCheck>>,
    /// Leave an existing node as it is.
    pub skip_node_update: bool,
}

/// Removes a service, else a check, else the whole node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeregisterRequest {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub datacenter: String,
    pub node: String,
    /// Accepted for old clients and not looked at.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    #[serde(rename = "CheckID")]
    pub check_id: String,
}
