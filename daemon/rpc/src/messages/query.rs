//! `PreparedQuery.*`.

use consul_api::types::query::{PreparedQuery, QueryDns};
use serde::{Deserialize, Serialize};

use super::QuerySource;
use super::catalog::CheckServiceNode;

/// `PreparedQuery.Apply`: `create`, `update` or `delete`; answers with the id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PreparedQueryRequest {
    pub datacenter: String,
    pub op: String,
    pub query: Option<PreparedQuery>,
}

/// `PreparedQuery.Get`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PreparedQuerySpecificRequest {
    pub datacenter: String,
    #[serde(rename = "QueryID")]
    pub query_id: String,
}

/// Answer of `PreparedQuery.Get` and `PreparedQuery.List`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Queries<T> {
    pub queries: T,
}

/// Answer of `PreparedQuery.Explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Explained<T> {
    pub query: T,
}

/// `PreparedQuery.Execute` and `PreparedQuery.Explain`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExecuteRequest {
    pub datacenter: String,
    #[serde(rename = "QueryIDOrName")]
    pub query_id_or_name: String,
    /// At most so many instances; 0 for all.
    pub limit: i64,
    pub connect: bool,
    /// Where the client is.
    pub source: QuerySource,
    /// The agent that was asked.
    pub agent: QuerySource,
}

/// `PreparedQuery.ExecuteRemote`: a query that another datacenter has resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExecuteRemoteRequest {
    pub datacenter: String,
    pub query: PreparedQuery,
    pub limit: i64,
    pub connect: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExecuteResponse {
    pub service: String,
    pub nodes: Vec<CheckServiceNode>,
    #[serde(rename = "DNS")]
    pub dns: QueryDns,
    pub datacenter: String,
    pub failovers: i64,
}
