//! Shapes of records that are not simply an object of the API.

use consul_api::msgpack;
use consul_api::types::StringMap;
use consul_api::types::bytes::Blob;
use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::config_entry::{BinaryEntry, ConfigEntry};
use consul_api::types::health::HealthCheck;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A node, with one service or one check of it or neither.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RegisterRecord {
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub datacenter: String,
    pub tagged_addresses: Option<StringMap>,
    pub node_meta: Option<StringMap>,
    pub service: Option<NodeService>,
    pub check: Option<HealthCheck>,
    pub checks: Option<Vec<HealthCheck>>,
    pub skip_node_update: bool,
    pub token: String,
    pub create_index: u64,
    pub modify_index: u64,
}

impl RegisterRecord {
    pub fn of(node: &Node) -> Self {
        Self {
            id: node.id.clone(),
            node: node.node.clone(),
            address: node.address.clone(),
            datacenter: node.datacenter.clone(),
            tagged_addresses: node.tagged_addresses.clone(),
            node_meta: node.meta.clone(),
            create_index: node.create_index,
            modify_index: node.modify_index,
            ..Self::default()
        }
    }

    /// The node part; `last_index` stands in for indexes that the record lacks.
    pub fn to_node(&self, last_index: u64) -> Node {
        Node {
            id: self.id.clone(),
            node: self.node.clone(),
            address: self.address.clone(),
            datacenter: self.datacenter.clone(),
            tagged_addresses: self.tagged_addresses.clone(),
            meta: self.node_meta.clone(),
            create_index: known(self.create_index, last_index),
            modify_index: known(self.modify_index, last_index),
        }
    }
}

pub fn known(index: u64, last_index: u64) -> u64 {
    if index == 0 { last_index } else { index }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IndexRecord {
    pub key: String,
    pub value: u64,
}

/// A token of the oldest system.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LegacyTokenRecord {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub r#type: String,
    pub rules: String,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LegacyBootstrapRecord {
    pub modify_index: u64,
}

/// State of a transfer in pieces; always empty between commands.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChunkingRecord {
    pub chunk_map: Map<String, Value>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ConfigEntryBody<E> {
    datacenter: String,
    entry: E,
    op: String,
    token: String,
}

/// The value of a configuration entry's record: a byte string that holds the kind and a request.
pub fn encode_config_entry(entry: &ConfigEntry) -> Result<Blob, msgpack::EncodeError> {
    let mut out = msgpack::to_vec(&entry.kind)?;
    let (datacenter, op, token) = (String::new(), String::new(), String::new());
    let body = ConfigEntryBody { datacenter, entry: entry.to_binary()?, op, token };
    msgpack::encode_into(&mut out, &body)?;
    Ok(Blob::from(out))
}

pub fn decode_config_entry(value: &[u8]) -> Result<ConfigEntry, msgpack::DecodeError> {
    let blob: Blob = msgpack::from_slice(value)?;
    let mut rest = blob.as_slice();
    let kind: String = msgpack::from_front(&mut rest)?;
    let entry = BinaryEntry::read(
        &kind,
        || msgpack::from_slice(rest).map(|body: ConfigEntryBody<Value>| body.entry),
        || msgpack::from_slice(rest).map(|body: ConfigEntryBody<Blob>| body.entry),
    )?;
    ConfigEntry::from_binary(kind, entry)
}
