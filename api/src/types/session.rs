//! Sessions: leases that hold locks and end with their node, checks or TTL.

use serde::{Deserialize, Serialize};

use super::duration::Nanoseconds;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Session {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub node: String,
    /// How long keys of an invalidated session cannot be locked.
    pub lock_delay: Nanoseconds,
    /// `release` or `delete`: what happens to held keys.
    pub behavior: String,
    /// Go duration text, empty for a session without TTL.
    #[serde(rename = "TTL")]
    pub ttl: String,
    pub node_checks: Option<Vec<String>>,
    pub service_checks: Option<Vec<ServiceCheck>>,
    /// Check ids in the form that older clients send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<String>>,
    pub create_index: u64,
    pub modify_index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceCheck {
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

impl Session {
    /// Every check the session depends on: node, service and legacy lists together.
    pub fn check_ids(&self) -> impl Iterator<Item = &str> {
        let node = self.node_checks.iter().flatten().map(String::as_str);
        let service = self.service_checks.iter().flatten().map(|check| check.id.as_str());
        let legacy = self.checks.iter().flatten().map(String::as_str);
        node.chain(service).chain(legacy)
    }
}
