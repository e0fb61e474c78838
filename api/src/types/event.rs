//! User events.

use serde::{Deserialize, Serialize};

use super::bytes::Blob;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UserEvent {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub payload: Blob,
    pub node_filter: String,
    pub service_filter: String,
    pub tag_filter: String,
    pub version: i64,
    /// Lamport time at which the receiving agent saw it; 0 in the reply to the sender.
    #[serde(rename = "LTime")]
    pub ltime: u64,
}
