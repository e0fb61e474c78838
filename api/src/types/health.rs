//! Health checks as the catalog stores them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::catalog::{Node, NodeService};
use super::duration::GoDuration;
use super::omit;

/// The state of a check that an agent runs. The catalog itself stores any string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Passing,
    Warning,
    Critical,
}

/// Worst state of several checks; ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AggregatedStatus {
    Passing,
    Warning,
    Critical,
    Maintenance,
}

/// Check id of a node in maintenance mode.
pub const NODE_MAINTENANCE: &str = "_node_maintenance";
/// Start of the check id of a service in maintenance mode; the service id follows.
pub const SERVICE_MAINTENANCE_PREFIX: &str = "_service_maintenance:";
/// Check id by which the leader records what gossip knows of a node.
pub const SERF_HEALTH: &str = "serfHealth";

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "passing" => Ok(Self::Passing),
            "warning" => Ok(Self::Warning),
            "critical" => Ok(Self::Critical),
            _ => Err(()),
        }
    }
}

impl AggregatedStatus {
    /// The worst of `checks`; passing if there is none. A state that is not one of the known three counts as passing.
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a HealthCheck>) -> Self {
        checks.into_iter().map(Self::of_one).max().unwrap_or(Self::Passing)
    }

    fn of_one(check: &HealthCheck) -> Self {
        if check.check_id == NODE_MAINTENANCE || check.check_id.starts_with(SERVICE_MAINTENANCE_PREFIX) {
            return Self::Maintenance;
        }
        match check.status.as_str() {
            "critical" => Self::Critical,
            "warning" => Self::Warning,
            _ => Self::Passing,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }
}

/// A check of a node, or of one service instance on it where `service_id` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthCheck {
    pub node: String,
    #[serde(rename = "CheckID")]
    pub check_id: String,
    pub name: String,
    /// `passing`, `warning`, `critical`; checks registered through the catalog may hold any string.
    pub status: String,
    pub notes: String,
    pub output: String,
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    pub service_name: String,
    pub service_tags: Option<Vec<String>>,
    pub r#type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interval: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub exposed_port: i64,
    pub definition: HealthCheckDefinition,
    pub create_index: u64,
    pub modify_index: u64,
}

/// What an external monitor should run for a check registered through the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthCheckDefinition {
    #[serde(skip_serializing_if = "GoDuration::is_zero", alias = "IntervalDuration")]
    pub interval: GoDuration,
    #[serde(skip_serializing_if = "GoDuration::is_zero", alias = "TimeoutDuration")]
    pub timeout: GoDuration,
    #[serde(skip_serializing_if = "GoDuration::is_zero", alias = "DeregisterCriticalServiceAfterDuration")]
    pub deregister_critical_service_after: GoDuration,
    #[serde(rename = "HTTP", skip_serializing_if = "String::is_empty")]
    pub http: String,
    #[serde(rename = "TLSServerName", skip_serializing_if = "String::is_empty")]
    pub tls_server_name: String,
    #[serde(rename = "TLSSkipVerify", skip_serializing_if = "omit::default")]
    pub tls_skip_verify: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub disable_redirects: bool,
    #[serde(rename = "TCP", skip_serializing_if = "String::is_empty")]
    pub tcp: String,
    #[serde(rename = "TCPUseTLS", skip_serializing_if = "omit::default")]
    pub tcp_use_tls: bool,
    #[serde(rename = "UDP", skip_serializing_if = "String::is_empty")]
    pub udp: String,
    #[serde(rename = "H2PING", skip_serializing_if = "String::is_empty")]
    pub h2ping: String,
    #[serde(rename = "H2PingUseTLS", skip_serializing_if = "omit::default")]
    pub h2ping_use_tls: bool,
    #[serde(rename = "OSService", skip_serializing_if = "String::is_empty")]
    pub os_service: String,
    #[serde(skip_serializing_if = "omit::default")]
    pub output_max_size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_args: Option<Vec<String>>,
    #[serde(rename = "DockerContainerID", skip_serializing_if = "String::is_empty")]
    pub docker_container_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub shell: String,
    #[serde(rename = "GRPC", skip_serializing_if = "String::is_empty")]
    pub grpc: String,
    #[serde(rename = "GRPCUseTLS", skip_serializing_if = "omit::default")]
    pub grpc_use_tls: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias_node: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub alias_service: String,
    #[serde(rename = "TTL", skip_serializing_if = "GoDuration::is_zero")]
    pub ttl: GoDuration,
}

/// A service instance with its node and all checks that decide its health: node checks first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckServiceNode {
    pub node: Node,
    pub service: NodeService,
    pub checks: Vec<HealthCheck>,
}

/// A node with everything on it: what the web UI lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NodeInfo {
    #[serde(rename = "ID")]
    pub id: String,
    pub node: String,
    pub address: String,
    pub tagged_addresses: Option<super::StringMap>,
    pub meta: Option<super::StringMap>,
    pub services: Vec<NodeService>,
    pub checks: Vec<HealthCheck>,
}
