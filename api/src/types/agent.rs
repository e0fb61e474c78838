//! Services and checks as people define them: in configuration files, in `services register` files and in the bodies
//! of `/v1/agent/service/register` and `/v1/agent/check/register`.
//!
//! Aliases list the snake_case spellings that the HTTP API takes; letter case of the CamelCase names never matters
//! (the decoder sees to that). Configuration files are first brought to these names by the configuration loader.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::StringMap;
use super::catalog::{ProxyConfig, ServiceAddress, ServicePort, Weights};
use super::duration::GoDuration;
use super::omit;

/// A service to run on the local agent.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceDefinition {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Defaults to the name.
    #[serde(rename = "ID", skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none", alias = "tagged_addresses")]
    pub tagged_addresses: Option<BTreeMap<String, ServiceAddress>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<StringMap>,
    #[serde(skip_serializing_if = "omit::default")]
    pub port: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<ServicePort>>,
    #[serde(skip_serializing_if = "String::is_empty", alias = "socket_path")]
    pub socket_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckDefinition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<Vec<CheckDefinition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// A secret: the token under which the agent syncs this service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    #[serde(skip_serializing_if = "omit::default", alias = "enable_tag_override")]
    pub enable_tag_override: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectDefinition>,
}

impl fmt::Debug for ServiceDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceDefinition")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConnectDefinition {
    #[serde(skip_serializing_if = "omit::default")]
    pub native: bool,
    #[serde(skip_serializing_if = "Option::is_none", alias = "sidecar_service")]
    pub sidecar_service: Option<Box<ServiceDefinition>>,
}

/// A check to run on the local agent. Which fields are set decides its kind.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckDefinition {
    /// Defaults to the name, or to one made from the service's id.
    #[serde(rename = "CheckID", alias = "ID", alias = "check_id", skip_serializing_if = "String::is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    #[serde(rename = "ServiceID", alias = "service_id", skip_serializing_if = "String::is_empty")]
    pub service_id: String,
    /// A secret: the token under which the agent syncs this check.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub token: String,
    /// Initial state; critical if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Command and arguments of a script check.
    #[serde(skip_serializing_if = "Option::is_none", alias = "Args", alias = "script_args")]
    pub script_args: Option<Vec<String>>,
    /// A shell command line: only configuration files may use it.
    #[serde(skip)]
    pub script: String,
    #[serde(rename = "HTTP", skip_serializing_if = "String::is_empty")]
    pub http: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    #[serde(skip_serializing_if = "omit::default", alias = "disable_redirects")]
    pub disable_redirects: bool,
    #[serde(rename = "TCP", skip_serializing_if = "String::is_empty")]
    pub tcp: String,
    #[serde(rename = "TCPUseTLS", alias = "tcp_use_tls", skip_serializing_if = "omit::default")]
    pub tcp_use_tls: bool,
    #[serde(rename = "UDP", skip_serializing_if = "String::is_empty")]
    pub udp: String,
    #[serde(skip_serializing_if = "GoDuration::is_zero")]
    pub interval: GoDuration,
    #[serde(
        rename = "DockerContainerID",
        alias = "docker_container_id",
        skip_serializing_if = "String::is_empty"
    )]
    pub docker_container_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub shell: String,
    #[serde(rename = "GRPC", skip_serializing_if = "String::is_empty")]
    pub grpc: String,
    #[serde(rename = "GRPCUseTLS", alias = "grpc_use_tls", skip_serializing_if = "omit::default")]
    pub grpc_use_tls: bool,
    #[serde(rename = "H2PING", alias = "h2ping", skip_serializing_if = "String::is_empty")]
    pub h2ping: String,
    /// TLS unless said otherwise.
    #[serde(rename = "H2PingUseTLS", alias = "h2ping_use_tls", skip_serializing_if = "Option::is_none")]
    pub h2ping_use_tls: Option<bool>,
    #[serde(rename = "OSService", alias = "os_service", skip_serializing_if = "String::is_empty")]
    pub os_service: String,
    #[serde(rename = "TLSServerName", alias = "tls_server_name", skip_serializing_if = "String::is_empty")]
    pub tls_server_name: String,
    #[serde(rename = "TLSSkipVerify", alias = "tls_skip_verify", skip_serializing_if = "omit::default")]
    pub tls_skip_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty", alias = "alias_node")]
    pub alias_node: String,
    #[serde(skip_serializing_if = "String::is_empty", alias = "alias_service")]
    pub alias_service: String,
    #[serde(skip_serializing_if = "GoDuration::is_zero")]
    pub timeout: GoDuration,
    #[serde(rename = "TTL", skip_serializing_if = "GoDuration::is_zero")]
    pub ttl: GoDuration,
    #[serde(skip_serializing_if = "omit::default", alias = "success_before_passing")]
    pub success_before_passing: i64,
    #[serde(skip_serializing_if = "Option::is_none", alias = "failures_before_warning")]
    pub failures_before_warning: Option<i64>,
    #[serde(skip_serializing_if = "omit::default", alias = "failures_before_critical")]
    pub failures_before_critical: i64,
    #[serde(skip_serializing_if = "String::is_empty", rename = "ProxyHTTP")]
    pub proxy_http: String,
    #[serde(skip_serializing_if = "String::is_empty", rename = "ProxyGRPC")]
    pub proxy_grpc: String,
    #[serde(skip_serializing_if = "GoDuration::is_zero", alias = "deregister_critical_service_after")]
    pub deregister_critical_service_after: GoDuration,
    #[serde(skip_serializing_if = "Option::is_none", alias = "output_max_size")]
    pub output_max_size: Option<i64>,
}

impl fmt::Debug for CheckDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckDefinition")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("service_id", &self.service_id)
            .finish_non_exhaustive()
    }
}

/// A service as `/v1/agent/services` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AgentService {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(rename = "ID")]
    pub id: String,
    pub service: String,
    pub tags: Vec<String>,
    pub meta: StringMap,
    pub port: i64,
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<ServicePort>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagged_addresses: Option<BTreeMap<String, ServiceAddress>>,
    pub weights: Weights,
    pub enable_tag_override: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectDefinition>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub datacenter: String,
}
