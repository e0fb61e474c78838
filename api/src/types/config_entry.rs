//! Centralised configuration entries: kept as documents, since nothing here interprets them.

use serde::{Deserialize, Serialize};

/// One entry. `fields` holds everything except kind, name and indexes, in canonical CamelCase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigEntry {
    pub kind: String,
    pub name: String,
    #[serde(flatten)]
    pub fields: serde_json::Map<String, serde_json::Value>,
    pub create_index: u64,
    pub modify_index: u64,
}
