//! Intentions: which service may talk to which. Stored and served; nothing here enforces them.

use serde::{Deserialize, Serialize};

use super::StringMap;
use super::bytes::Blob;
use super::time::GoTime;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Intention {
    #[serde(rename = "ID")]
    pub id: String,
    pub description: String,
    #[serde(rename = "SourceNS")]
    pub source_ns: String,
    pub source_name: String,
    #[serde(rename = "DestinationNS")]
    pub destination_ns: String,
    pub destination_name: String,
    pub source_type: String,
    /// `allow` or `deny`.
    pub action: String,
    pub default_addr: String,
    pub default_port: i64,
    pub meta: Option<StringMap>,
    /// 9 for two exact names down to 5 for two wildcards; the highest that matches decides.
    pub precedence: i64,
    pub created_at: GoTime,
    pub updated_at: GoTime,
    /// BLAKE2b-256 over the fields that replication compares.
    pub hash: Blob,
    pub create_index: u64,
    pub modify_index: u64,
}
