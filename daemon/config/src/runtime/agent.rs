//! Settings of the agent process that belong to no protocol.

use super::Context;
use crate::section::Section;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds on what checks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSettings {
    /// Bytes of output kept of each check.
    pub output_max_size: usize,
    /// How long a change of output alone may wait to be synced; zero syncs every change.
    pub update_interval: Duration,
    pub discard_output: bool,
    /// Run script checks of configuration files.
    pub enable_local_scripts: bool,
    /// Run script checks registered over the API as well.
    pub enable_remote_scripts: bool,
    /// HTTP checks present the agent's certificate.
    pub use_agent_tls: bool,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            output_max_size: 4096,
            update_interval: Duration::from_secs(300),
            discard_output: false,
            enable_local_scripts: false,
            enable_remote_scripts: false,
            use_agent_tls: false,
        }
    }
}

impl CheckSettings {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let d = Self::default();
        let remote = root.flag("enable_script_checks").unwrap_or(d.enable_remote_scripts);
        let size = match root.int("check_output_max_size") {
            None => d.output_max_size,
            Some(bytes) => usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or_else(|| {
                let message = "check_output_max_size must be positive, to discard check output use the \
                               discard_check_output flag";
                root.report("check_output_max_size", message);
                d.output_max_size
            }),
        };
        Self {
            output_max_size: size,
            update_interval: root.duration("check_update_interval").unwrap_or(d.update_interval),
            discard_output: root.flag("discard_check_output").unwrap_or(d.discard_output),
            enable_local_scripts: remote || root.flag("enable_local_script_checks").unwrap_or(false),
            enable_remote_scripts: remote,
            use_agent_tls: root.flag("enable_agent_tls_for_checks").unwrap_or(d.use_agent_tls),
        }
    }
}

/// Waits and staleness of queries, and sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryConfig {
    /// Wait of a blocking query that names none.
    pub default_query_time: Duration,
    pub max_query_time: Duration,
    /// Answer discovery queries from any server if its data is no older than this.
    pub discovery_max_stale: Duration,
    pub session_ttl_min: Duration,
}

impl Default for QueryConfig {
    fn default() -> Self {
        Self {
            default_query_time: Duration::from_secs(300),
            max_query_time: Duration::from_secs(600),
            discovery_max_stale: Duration::ZERO,
            session_ttl_min: Duration::from_secs(10),
        }
    }
}

impl QueryConfig {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let d = Self::default();
        let positive = |key, default| root.duration(key).filter(|span| !span.is_zero()).unwrap_or(default);
        Self {
            default_query_time: positive("default_query_time", d.default_query_time),
            max_query_time: positive("max_query_time", d.max_query_time),
            discovery_max_stale: root.duration("discovery_max_stale").unwrap_or(d.discovery_max_stale),
            session_ttl_min: positive("session_ttl_min", d.session_ttl_min),
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// Reads a level in any case.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "TRACE" => Some(Self::Trace),
            "DEBUG" => Some(Self::Debug),
            "INFO" => Some(Self::Info),
            "WARN" => Some(Self::Warn),
            "ERR" | "ERROR" => Some(Self::Error),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// As written. Whether it is a level is found out at start, where it is fatal, and on reload, where it is not.
    pub level: String,
    pub json: bool,
    /// File or directory prefix; absent for no file.
    pub file: Option<String>,
    /// 0 is no limit.
    pub rotate_bytes: u64,
    pub rotate_duration: Duration,
    /// 0 keeps all, -1 none.
    pub rotate_max_files: i64,
    pub syslog: bool,
    pub syslog_facility: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "INFO".to_owned(),
            json: false,
            file: None,
            rotate_bytes: 0,
            rotate_duration: Duration::from_secs(24 * 3600),
            rotate_max_files: 0,
            syslog: false,
            syslog_facility: "LOCAL0".to_owned(),
        }
    }
}

impl LogConfig {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let d = Self::default();
        let set = |key| root.text(key).filter(|text| !text.is_empty());
        Self {
            level: set("log_level").unwrap_or(d.level),
            json: root.flag("log_json").unwrap_or(d.json),
            file: set("log_file"),
            rotate_bytes: root.count("log_rotate_bytes").unwrap_or(d.rotate_bytes),
            rotate_duration: root
                .duration("log_rotate_duration")
                .filter(|span| !span.is_zero())
                .unwrap_or(d.rotate_duration),
            rotate_max_files: root.int("log_rotate_max_files").unwrap_or(d.rotate_max_files),
            syslog: root.flag("enable_syslog").unwrap_or(d.syslog),
            syslog_facility: set("syslog_facility").unwrap_or(d.syslog_facility),
        }
    }

    /// The level, or the message for one that is none.
    pub fn parsed_level(&self) -> Result<LogLevel, String> {
        LogLevel::parse(&self.level).ok_or_else(|| {
            format!(
                "Invalid log level: {}. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]",
                self.level
            )
        })
    }
}

/// How the process starts, stops and serves its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    pub pid_file: Option<PathBuf>,
    /// Leave the cluster on TERM.
    pub leave_on_terminate: bool,
    /// Do not leave the cluster on INT.
    pub skip_leave_on_interrupt: bool,
    /// Reload when files change.
    pub auto_reload: bool,
    /// Serve profiles.
    pub enable_debug: bool,
    /// Ignore `consul exec`.
    pub disable_remote_exec: bool,
    /// Merge central defaults into services.
    pub enable_central_service_config: bool,
}

impl ProcessConfig {
    pub(super) fn read(root: &Section<'_>, cx: &Context<'_>) -> Self {
        Self {
            pid_file: root.text("pid_file").filter(|path| !path.is_empty()).map(PathBuf::from),
            // A server that merely restarts must keep its place in the quorum; a client may go and come.
            leave_on_terminate: root.flag("leave_on_terminate").unwrap_or(!cx.server),
            skip_leave_on_interrupt: root.flag("skip_leave_on_interrupt").unwrap_or(cx.server),
            auto_reload: root.flag("auto_reload_config").unwrap_or(false),
            enable_debug: root.flag("enable_debug").unwrap_or(false),
            disable_remote_exec: root.flag("disable_remote_exec").unwrap_or(true),
            enable_central_service_config: root.flag("enable_central_service_config").unwrap_or(true),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiConfig {
    pub enabled: bool,
    /// Files served in place of the built-in ones.
    pub dir: Option<PathBuf>,
    /// Begins and ends with a slash.
    pub content_path: String,
    pub dashboard_url_templates: BTreeMap<String, String>,
}

impl UiConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let path = section.text_or_empty("content_path");
        let path = path.trim_matches('/');
        let content_path = match path {
            _ if section.text("content_path").is_none() => "/ui/".to_owned(),
            "" => "/".to_owned(),
            path => format!("/{path}/"),
        };
        Self {
            enabled: section.flag("enabled").unwrap_or(false),
            dir: section.text("dir").filter(|path| !path.is_empty()).map(PathBuf::from),
            content_path,
            dashboard_url_templates: section.map("dashboard_url_templates"),
        }
    }
}

/// How often the agent's cache refreshes an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheConfig {
    pub entry_fetch_max_burst: u32,
    /// Fetches per second; absent for no limit.
    pub entry_fetch_rate: Option<f64>,
}

impl CacheConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let rate = section.float("entry_fetch_rate");
        if let Some(rate) = rate.filter(|rate| *rate <= 0.0) {
            let message = format!("cache.entry_fetch_rate must be strictly positive, was: {rate}");
            section.report("entry_fetch_rate", message);
        }
        Self {
            entry_fetch_max_burst: section.count("entry_fetch_max_burst").unwrap_or(2),
            entry_fetch_rate: rate.filter(|rate| *rate > 0.0 && rate.is_finite()),
        }
    }
}

/// The certificate authority; the mesh it was made for does not exist here.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectConfig {
    pub enabled: bool,
    /// `consul` unless set.
    pub ca_provider: String,
    pub ca_config: serde_json::Map<String, serde_json::Value>,
}

impl ConnectConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let provider = section.text_or_empty("ca_provider");
        match provider.as_str() {
            "" | "consul" => {}
            "vault" | "aws-pca" => section.fail("ca_provider", format!("{provider:?} is not available here")),
            other => section.report("ca_provider", format!("{other} is not a valid CA provider")),
        }
        let ca_config = match section.any("ca_config").map(crate::value::Value::to_json) {
            Some(serde_json::Value::Object(map)) => map,
            // HCL and JSON both allow one object in a list here.
            Some(serde_json::Value::Array(list)) => match list.into_iter().next() {
                Some(serde_json::Value::Object(map)) => map,
                _ => serde_json::Map::new(),
            },
            _ => serde_json::Map::new(),
        };
        Self {
            enabled: section.flag("enabled").unwrap_or(true),
            ca_provider: if provider.is_empty() { "consul".to_owned() } else { provider },
            ca_config,
        }
    }
}
