//! Prepared queries: stored service lookups with filters, failover and templates.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StringMap;
use super::health::CheckServiceNode;

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PreparedQuery {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub session: String,
    /// A secret: used instead of the caller's token when the query runs.
    pub token: String,
    pub template: QueryTemplate,
    pub service: ServiceQuery,
    #[serde(rename = "DNS")]
    pub dns: QueryDns,
    pub create_index: u64,
    pub modify_index: u64,
}

impl fmt::Debug for PreparedQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedQuery")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryTemplate {
    pub r#type: String,
    pub regexp: String,
    pub remove_empty_tags: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceQuery {
    pub service: String,
    pub failover: QueryFailover,
    pub only_passing: bool,
    #[serde(rename = "IgnoreCheckIDs")]
    pub ignore_check_ids: Option<Vec<String>>,
    pub near: String,
    pub tags: Option<Vec<String>>,
    pub node_meta: Option<StringMap>,
    pub service_meta: Option<StringMap>,
    pub connect: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryFailover {
    pub nearest_n: i64,
    pub datacenters: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<QueryFailoverTarget>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryFailoverTarget {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub datacenter: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryDns {
    #[serde(rename = "TTL")]
    pub ttl: String,
}

/// The answer of an executed query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryExecuteResponse {
    pub service: String,
    pub nodes: Vec<CheckServiceNode>,
    #[serde(rename = "DNS")]
    pub dns: QueryDns,
    pub datacenter: String,
    /// Datacenters asked because nearer ones had no instance.
    pub failovers: i64,
    pub index: u64,
    pub last_contact: super::duration::Nanoseconds,
    pub known_leader: bool,
    pub consistency_level: String,
}
