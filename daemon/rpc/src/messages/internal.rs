//! `Internal.*`.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::bytes::Blob;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::HealthCheck;
use serde::{Deserialize, Serialize};

use super::QuerySource;

/// `Internal.EventFire`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EventFireRequest {
    pub datacenter: String,
    pub name: String,
    /// The event as agents exchange it.
    pub payload: Blob,
}

/// Answer of `Internal.NodeInfo` and `Internal.NodeDump`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeDump {
    pub dump: Vec<NodeInfo>,
}

/// A node with all that is on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeInfo {
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub tagged_addresses: Option<StringMap>,
    pub meta: Option<StringMap>,
    pub services: Vec<Arc<NodeService>>,
    pub checks: Vec<Arc<HealthCheck>>,
}

/// `Internal.ServiceDump`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceDumpRequest {
    pub datacenter: String,
    pub source: QuerySource,
    pub service_kind: String,
    /// Only instances of that kind; an empty kind is the ordinary one.
    pub use_service_kind: bool,
}

/// `Internal.KeyringOperation`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyringRequest {
    /// `list`, `install`, `use` or `remove`.
    pub operation: String,
    /// Base64; a secret.
    pub key: String,
    pub datacenter: String,
    /// Another datacenter has passed it on: only the LAN pools are meant.
    pub forwarded: bool,
    pub relay_factor: u8,
    pub local_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyringResponses {
    pub responses: Vec<KeyringResponse>,
}

/// What came of a keyring operation in one pool.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyringResponse {
    #[serde(rename = "WAN")]
    pub wan: bool,
    pub datacenter: String,
    pub segment: String,
    /// Errors by node.
    pub messages: Option<BTreeMap<String, String>>,
    /// Number of nodes that hold each key.
    pub keys: Option<BTreeMap<String, i64>>,
    pub primary_keys: Option<BTreeMap<String, i64>>,
    pub num_nodes: i64,
    /// Empty for success.
    pub error: String,
}

impl std::fmt::Debug for KeyringRequest {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyringRequest").field("operation", &self.operation).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for KeyringResponse {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyringResponse")
            .field("wan", &self.wan)
            .field("datacenter", &self.datacenter)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
