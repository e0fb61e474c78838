//! The configuration an agent runs by: complete, typed, checked.
//!
//! One struct per concern. Defaults stand in each struct's `Default` and nowhere else; dev mode's are a
//! configuration source of their own.

mod acl;
mod agent;
mod cluster;
mod dns;
mod gossip;
mod http;
mod network;
mod node;
mod raft;
mod telemetry;
mod tls;

pub use acl::{AclConfig, AclTokens, DefaultPolicy, DownPolicy};
pub use agent::{
    CacheConfig, CheckSettings, ConnectConfig, LogConfig, LogLevel, ProcessConfig, QueryConfig, UiConfig,
};
pub use cluster::{
    AutoConfig, AutoConfigAuthorization, AutoEncryptConfig, BootstrapConfig, JoinConfig, JoinPool,
};
pub use dns::{DnsConfig, Endpoint, RecursorStrategy, SoaConfig};
pub use gossip::{EncryptKey, GossipConfig, GossipTiming};
pub use http::{HttpConfig, LimitsConfig, RateLimit, RequestLimitMode, RequestLimits};
pub use network::{ListenAddr, ListenHost, Network, PortRange, Ports, UnixSockets};
pub use node::NodeConfig;
pub use raft::{AutopilotConfig, RaftConfig};
pub use telemetry::TelemetryConfig;
pub use tls::{TlsConfig, TlsListener, TlsVersion};

use crate::definition;
use crate::host::Host;
use crate::section::Section;
use crate::value::Value;
use crate::warnings::Warnings;
use consul_api::types::agent::{CheckDefinition, ServiceDefinition};

/// Everything an agent is told.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    pub dev_mode: bool,
    /// True for a server, false for a client.
    pub server: bool,
    pub node: NodeConfig,
    pub bootstrap: BootstrapConfig,
    pub network: Network,
    pub ports: Ports,
    pub join: JoinConfig,
    pub gossip: GossipConfig,
    pub raft: RaftConfig,
    pub autopilot: AutopilotConfig,
    pub acl: AclConfig,
    pub tls: TlsConfig,
    pub auto_encrypt: AutoEncryptConfig,
    pub auto_config: AutoConfig,
    pub connect: ConnectConfig,
    pub dns: DnsConfig,
    pub http: HttpConfig,
    pub limits: LimitsConfig,
    pub telemetry: TelemetryConfig,
    pub log: LogConfig,
    pub checks: CheckSettings,
    pub queries: QueryConfig,
    pub process: ProcessConfig,
    pub ui: UiConfig,
    pub cache: CacheConfig,
    /// Services of the configuration files, in order; of two with one id the later counts.
    pub service_definitions: Vec<ServiceDefinition>,
    /// Checks of the configuration files that stand outside a service.
    pub check_definitions: Vec<CheckDefinition>,
    /// Parameters of each watch, as written.
    pub watches: Vec<serde_json::Map<String, serde_json::Value>>,
    /// Central configuration entries that a new leader stores if they are absent.
    pub bootstrap_config_entries: Vec<serde_json::Value>,
}

/// What reading needs besides the configuration itself.
pub(crate) struct Context<'a> {
    pub host: &'a Host,
    pub dev: bool,
    pub server: bool,
    pub warnings: &'a mut Warnings,
}

impl RuntimeConfig {
    pub(crate) fn read(root: &Section<'_>, host: &Host, dev: bool, warnings: &mut Warnings) -> Self {
        let server = root.flag("server").unwrap_or(false);
        let mut cx = Context { host, dev, server, warnings };
        let ports = Ports::read(&root.block("ports"));
        let node = NodeConfig::read(root, &mut cx);
        let acl = AclConfig::read(&root.block("acl"));
        let (service_definitions, check_definitions) = definition::read(root, cx.warnings);
        Self {
            dev_mode: dev,
            server,
            bootstrap: BootstrapConfig::read(root),
            network: Network::read(root, &ports, &mut cx),
            join: JoinConfig::read(root, &cx),
            gossip: GossipConfig::read(root, &mut cx),
            raft: RaftConfig::read(root, &mut cx),
            autopilot: AutopilotConfig::read(&root.block("autopilot")),
            tls: TlsConfig::read(root),
            auto_encrypt: AutoEncryptConfig::read(&root.block("auto_encrypt"), &mut cx),
            auto_config: AutoConfig::read(&root.block("auto_config"), &mut cx),
            connect: ConnectConfig::read(&root.block("connect")),
            dns: DnsConfig::read(root, &cx),
            http: HttpConfig::read(root),
            limits: LimitsConfig::read(&root.block("limits"), &cx),
            telemetry: TelemetryConfig::read(&root.block("telemetry"), &mut cx),
            log: LogConfig::read(root),
            checks: CheckSettings::read(root),
            queries: QueryConfig::read(root),
            process: ProcessConfig::read(root, &cx),
            ui: UiConfig::read(&root.block("ui_config")),
            cache: CacheConfig::read(&root.block("cache")),
            watches: watches(root, cx.warnings),
            bootstrap_config_entries: config_entries(root),
            service_definitions,
            check_definitions,
            node,
            ports,
            acl,
        }
    }
}

fn watches(root: &Section<'_>, warnings: &mut Warnings) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let mut watches = Vec::new();
    for (at, item) in root.list("watches").iter().enumerate() {
        match item.value.to_json() {
            serde_json::Value::Object(params) => {
                if params.contains_key("handler") {
                    let message = "The 'handler' field in watches has been deprecated and replaced with the \
                                   'args' field. See https://www.consul.io/docs/agent/watches.html";
                    warnings.push(message, Some(item.pos.clone()));
                }
                watches.push(params);
            }
            _ => root.report("watches", format!("watches[{at}] must be an object")),
        }
    }
    watches
}

fn config_entries(root: &Section<'_>) -> Vec<serde_json::Value> {
    let section = root.block("config_entries");
    let mut entries = Vec::new();
    for (at, item) in section.list("bootstrap").iter().enumerate() {
        let has_kind =
            |entries: &[crate::value::Entry]| entries.iter().any(|e| e.key.eq_ignore_ascii_case("kind"));
        match &item.value {
            Value::Object(fields) if has_kind(fields) => entries.push(item.value.to_json()),
            Value::Object(_) => section.report(
                "bootstrap",
                format!("config_entries.bootstrap[{at}]: Payload does not contain a kind/Kind key at the top level"),
            ),
            _ => section.report("bootstrap", format!("config_entries.bootstrap[{at}] must be an object")),
        }
    }
    entries
}
