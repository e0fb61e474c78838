//! The fields that methods share.

use std::fmt;
use std::ops::Not;

use consul_api::types::duration::GoDuration;
use serde::{Deserialize, Serialize};

/// What a caller says beside the subject of a read.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryOptions {
    /// A secret.
    pub token: String,
    /// Answer once the index is above this; 0 for at once.
    pub min_query_index: u64,
    /// How long to wait for that; 0 for the server's default.
    pub max_query_time: GoDuration,
    pub allow_stale: bool,
    pub require_consistent: bool,
    pub use_cache: bool,
    pub max_stale_duration: GoDuration,
    pub max_age: GoDuration,
    pub must_revalidate: bool,
    pub stale_if_error: GoDuration,
    /// An expression that the server filters the answer by.
    pub filter: String,
    /// A server of this datacenter has passed the request on to the leader already. Only our servers say so.
    #[serde(skip_serializing_if = "Not::not")]
    pub forwarded: bool,
}

impl fmt::Debug for QueryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryOptions")
            .field("min_query_index", &self.min_query_index)
            .field("max_query_time", &self.max_query_time)
            .field("allow_stale", &self.allow_stale)
            .field("require_consistent", &self.require_consistent)
            .field("filter", &self.filter)
            .field("forwarded", &self.forwarded)
            .finish_non_exhaustive()
    }
}

/// How fresh the answer of a read is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryMeta {
    pub index: u64,
    /// Since the answering server last heard from the leader; 0 on the leader.
    pub last_contact: GoDuration,
    pub known_leader: bool,
    /// Always empty.
    pub consistency_level: String,
    /// Releases before 1.11 do not say.
    #[serde(rename = "ResultsFilteredByACLs", skip_serializing_if = "Not::not")]
    pub results_filtered_by_acls: bool,
}

/// What a caller says beside a change.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct WriteRequest {
    /// A secret.
    pub token: String,
    /// See [`QueryOptions::forwarded`].
    #[serde(skip_serializing_if = "Not::not")]
    pub forwarded: bool,
}

impl fmt::Debug for WriteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteRequest").field("forwarded", &self.forwarded).finish_non_exhaustive()
    }
}

/// From where distances count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QuerySource {
    pub datacenter: String,
    pub segment: String,
    /// Name of a node; empty for no order by distance.
    pub node: String,
    /// Address of the client.
    pub ip: String,
}
