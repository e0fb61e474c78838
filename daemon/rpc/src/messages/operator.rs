//! `Status.*` and `Operator.*`.

use std::collections::BTreeMap;

use consul_api::types::duration::GoDuration;
use consul_api::types::time::GoTime;
use serde::{Deserialize, Serialize};

/// `Status.RaftStats`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RaftStats {
    /// A duration as text; `0` on the leader, `never` if there was none yet.
    pub last_contact: String,
    pub last_index: u64,
    pub last_term: u64,
}

/// `Operator.RaftGetConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RaftConfiguration<S> {
    pub servers: Vec<S>,
    pub index: u64,
}

/// `Operator.RaftRemovePeerByAddress` and `Operator.RaftRemovePeerByID`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RaftRemovePeerRequest {
    pub datacenter: String,
    pub address: String,
    #[serde(rename = "ID")]
    pub id: String,
}

/// `Operator.TransferLeader`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TransferLeaderRequest {
    pub datacenter: String,
    /// Empty for any other server.
    #[serde(rename = "ID")]
    pub id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TransferLeaderResponse {
    pub success: bool,
}

/// `Operator.AutopilotSetConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotSetRequest<C> {
    pub datacenter: String,
    pub config: C,
    /// Only if the present configuration has the modify index that `config` carries.
    #[serde(rename = "CAS")]
    pub cas: bool,
}

/// `Operator.ServerHealth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OperatorHealth {
    pub healthy: bool,
    pub failure_tolerance: i64,
    pub servers: Option<Vec<ServerHealth>>,
}

/// What the leader knows of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServerHealth {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub address: String,
    /// 0 none, 1 alive, 2 leaving, 3 left, 4 failed.
    pub serf_status: i64,
    pub version: String,
    pub leader: bool,
    pub last_contact: GoDuration,
    pub last_term: u64,
    pub last_index: u64,
    pub healthy: bool,
    pub voter: bool,
    pub stable_since: GoTime,
}

/// `Operator.AutopilotState`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotState {
    pub healthy: bool,
    pub failure_tolerance: i64,
    /// By id.
    pub servers: BTreeMap<String, AutopilotServerState>,
    pub leader: String,
    pub voters: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotServerState {
    pub server: AutopilotServer,
    /// `leader`, `voter`, `non-voter`, `staging` or `none`.
    pub state: String,
    pub stats: AutopilotStats,
    pub health: AutopilotStability,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotServer {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub address: String,
    /// `alive`, `failed`, `left` or `unknown`.
    pub node_status: String,
    pub version: String,
    pub meta: BTreeMap<String, String>,
    pub raft_version: i64,
    pub is_leader: bool,
    /// `voter`, or a kind that other editions have.
    pub node_type: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotStats {
    pub last_contact: GoDuration,
    pub last_term: u64,
    pub last_index: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotStability {
    pub healthy: bool,
    pub stable_since: GoTime,
}

/// `Operator.Usage`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UsageRequest {
    pub datacenter: String,
    /// Of all datacenters.
    pub global: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Usages {
    pub usage: BTreeMap<String, ServiceUsage>,
}

/// Counts of one datacenter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceUsage {
    pub nodes: u64,
    pub services: u64,
    pub service_instances: u64,
    /// Instances of the mesh by kind.
    pub connect_service_instances: BTreeMap<String, u64>,
    pub billable_service_instances: u64,
}
