//! From configuration to the settings of each part. Also applied anew by a reload.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use consul_api::types::operator::AutopilotConfig;
use consul_checks::{RuntimeOptions, ScriptSwitches};
use consul_config::{DefaultPolicy, RecursorStrategy, RuntimeConfig};
use consul_dns::settings as dns;
use consul_raft::SnapshotPolicy;
use consul_telemetry::log::{Console, Level, LogConfig, Rotation};
use consul_telemetry::metrics::{ConfigError, MetricsConfig, PrefixFilter, SinkAddress};
use http::header::{HeaderName, HeaderValue};
use tracing::warn;

use crate::cache::Pace;
use crate::http::options::WaitLimits;
use crate::http::settings::HttpSettings;
use crate::limits::RateLimiter;
use crate::services::Settings as ServiceSettings;

pub fn http(config: &RuntimeConfig) -> HttpSettings {
    let header = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let response_headers: Vec<_> = config.http.response_headers.iter().filter_map(header).collect();
    if response_headers.len() < config.http.response_headers.len() {
        warn!(target: "agent.http", "some http_config.response_headers are no valid headers and are not sent");
    }
    HttpSettings {
        block_endpoints: config.http.block_endpoints.clone(),
        allow_write_from: config.http.allow_write_from.clone(),
        response_headers,
        allow_unprintable: config.http.disable_unprintable_char_filter,
        always_pretty: config.dev_mode,
        translate_wan_addrs: config.network.translate_wan_addrs,
        default_policy: match config.acl.default_policy {
            DefaultPolicy::Deny if config.acl.enabled => "deny",
            _ => "allow",
        },
        discovery_max_stale: config.queries.discovery_max_stale,
        wait: WaitLimits { default: config.queries.default_query_time, max: config.queries.max_query_time },
        max_conns_per_client: config.limits.http_max_conns_per_client as usize,
        head_max: head_max(config),
    }
}

/// Refuses what must not be left out silently: an agent without the protection that was asked for.
pub fn refuse_unsafe(config: &RuntimeConfig) -> Result<(), String> {
    if config.acl.enabled {
        let reason = "acl.enabled is set, but this agent has no access control yet and would serve everybody; remove \
                      the setting if that is acceptable";
        return Err(reason.to_owned());
    }
    if !config.network.https.is_empty() {
        return Err("ports.https is set, but this agent does not serve HTTPS yet".to_owned());
    }
    Ok(())
}

/// What other agents may make this server hold.
pub fn rpc_limits(config: &RuntimeConfig) -> consul_rpc::server::Limits {
    consul_rpc::server::Limits {
        handshake_max: config.limits.rpc_handshake_timeout,
        connections_per_address: config.limits.rpc_max_conns_per_client as usize,
        ..consul_rpc::server::Limits::default()
    }
}

/// How large the head of a request may be.
fn head_max(config: &RuntimeConfig) -> usize {
    let Some(bytes) = config.http.max_header_bytes else { return crate::http::settings::HEAD_MAX_DEFAULT };
    let least = crate::http::settings::HEAD_MAX_LEAST;
    let bytes = bytes as usize;
    if bytes < least {
        warn!(target: "agent.http", "http_config.max_header_bytes is {bytes}; {least} is the least that can be set and used instead");
    }
    bytes.max(least)
}

/// How long coordinates are collected before they are written.
pub fn coordinate_period(config: &RuntimeConfig) -> Duration {
    if config.dev_mode { Duration::from_millis(100) } else { Duration::from_secs(5) }
}

/// How autopilot is configured before an operator changes that.
pub fn autopilot(config: &RuntimeConfig) -> AutopilotConfig {
    let given = &config.autopilot;
    AutopilotConfig {
        cleanup_dead_servers: given.cleanup_dead_servers,
        last_contact_threshold: given.last_contact_threshold.into(),
        max_trailing_logs: given.max_trailing_logs,
        min_quorum: given.min_quorum.into(),
        server_stabilization_time: given.server_stabilization_time.into(),
        redundancy_zone_tag: given.redundancy_zone_tag.clone(),
        disable_upgrade_migration: given.disable_upgrade_migration,
        upgrade_version_tag: given.upgrade_version_tag.clone(),
        ..AutopilotConfig::zero()
    }
}

/// Bytes of log that a server without a disk keeps before it compacts them.
const MEMORY_LOG_BYTES: u64 = 4 << 20;

/// When the log is compacted.
pub fn snapshots(config: &RuntimeConfig) -> SnapshotPolicy {
    let entries = config.raft.snapshot_threshold;
    if config.dev_mode || config.node.data_dir.is_none() {
        // Nobody will ever ask for this log, and it is memory.
        return SnapshotPolicy {
            entries,
            bytes: MEMORY_LOG_BYTES,
            trailing_entries: 16,
            trailing_bytes: 64 << 10,
            interval: Duration::ZERO,
        };
    }
    SnapshotPolicy {
        entries,
        trailing_entries: config.raft.trailing_logs,
        interval: config.raft.snapshot_interval,
        ..SnapshotPolicy::default()
    }
}

/// How often an entry of the cache is fetched anew.
pub fn cache_pace(config: &RuntimeConfig) -> Pace {
    Pace::new(config.cache.entry_fetch_max_burst, config.cache.entry_fetch_rate)
}

/// Settings of the DNS door, or what is wrong with them.
pub fn dns(config: &RuntimeConfig) -> Result<Arc<dns::Settings>, String> {
    let source = &config.dns;
    let mut settings = dns::Settings::new(&config.node.datacenter, &config.node.name, &source.domain)
        .map_err(|error| error.to_string())?;
    if !source.alt_domain.is_empty() {
        settings.alt_domain = Some(dns::Zone::new(&source.alt_domain).map_err(|error| error.to_string())?);
    }
    settings.recursors = recursors(config)?;
    settings.recursor_timeout = source.recursor_timeout;
    settings.recursor_strategy = match source.recursor_strategy {
        RecursorStrategy::Sequential => dns::RecursorStrategy::Sequential,
        RecursorStrategy::Random => dns::RecursorStrategy::Random,
    };
    settings.allow_stale = source.allow_stale;
    settings.max_stale = source.max_stale;
    settings.use_cache = source.use_cache;
    settings.cache_max_age = source.cache_max_age;
    settings.node_ttl = source.node_ttl;
    settings.service_ttl =
        dns::ServiceTtl::new(source.service_ttl.iter().map(|(name, ttl)| (name.as_str(), *ttl)));
    settings.enable_truncate = source.enable_truncate;
    settings.only_passing = source.only_passing;
    settings.disable_compression = source.disable_compression;
    settings.node_meta_txt = source.node_meta_txt;
    settings.udp_answer_limit = source.udp_answer_limit as usize;
    settings.a_record_limit = source.a_record_limit as usize;
    settings.soa = dns::SoaTimes {
        refresh: source.soa.refresh,
        retry: source.soa.retry,
        expire: source.soa.expire,
        min_ttl: source.soa.min_ttl,
    };
    settings.translate_wan_addrs = config.network.translate_wan_addrs;
    Ok(Arc::new(settings))
}

/// Addresses of the recursors; names are looked up once.
fn recursors(config: &RuntimeConfig) -> Result<Vec<SocketAddr>, String> {
    let mut addresses = Vec::new();
    for recursor in &config.dns.recursors {
        let mut found = (recursor.host.as_str(), recursor.port)
            .to_socket_addrs()
            .map_err(|_| format!("Invalid recursor address: lookup {}: no such host", recursor.host))?;
        let address = found.next().ok_or_else(|| format!("Invalid recursor address: {recursor}"))?;
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

pub fn services(config: &RuntimeConfig) -> ServiceSettings {
    let sidecar = &config.ports.sidecar;
    ServiceSettings {
        node: config.node.name.clone(),
        output_max: config.checks.output_max_size,
        output_delay: config.checks.update_interval,
        scripts: ScriptSwitches {
            enable_script_checks: config.checks.enable_remote_scripts,
            enable_local_script_checks: config.checks.enable_local_scripts,
        },
        sidecar_ports: (sidecar.min.map_or(1, i64::from), sidecar.max.map_or(0, i64::from)),
    }
}

/// What checks may use. Reads the agent's certificate if they use that.
pub fn checks(config: &RuntimeConfig) -> Result<RuntimeOptions, String> {
    let own = config.checks.use_agent_tls;
    let agent_tls = own.then(|| crate::agent_tls::load(&config.tls.internal_rpc)).transpose()?;
    Ok(RuntimeOptions { agent_tls, ..RuntimeOptions::from_env() })
}

pub fn set_rpc_limit(limit: &RateLimiter, config: &RuntimeConfig) {
    limit.set(config.limits.rpc_rate, f64::from(config.limits.rpc_max_burst), Instant::now());
}

/// Where the log goes, or why not.
pub fn log(config: &RuntimeConfig) -> Result<LogConfig, String> {
    let level = level(config).ok_or_else(|| {
        let text = &config.log.level;
        format!("Invalid log level: {text}. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]")
    })?;
    let rotation = Rotation {
        bytes: config.log.rotate_bytes,
        duration: config.log.rotate_duration,
        max_files: config.log.rotate_max_files,
    };
    Ok(LogConfig {
        level,
        json: config.log.json,
        console: Console::Stdout,
        file: config.log.file.as_ref().map(|path| (path.into(), rotation)),
        syslog: config.log.syslog.then(|| config.log.syslog_facility.clone()),
        ..LogConfig::default()
    })
}

/// The configured level, if it is one.
pub fn level(config: &RuntimeConfig) -> Option<Level> {
    config.log.level.parse().ok()
}

/// How metrics are named and where they go.
pub fn metrics(config: &RuntimeConfig, hostname: &str) -> Result<MetricsConfig, String> {
    let source = &config.telemetry;
    let sink = |address: &str| -> Result<Option<SinkAddress>, String> {
        if address.is_empty() {
            return Ok(None);
        }
        address.parse().map(Some).map_err(|error: ConfigError| error.to_string())
    };
    Ok(MetricsConfig {
        prefix: source.metrics_prefix.clone(),
        hostname: hostname.to_owned(),
        disable_hostname: source.disable_hostname,
        filter: metrics_filter(config),
        prometheus_retention: source.prometheus_retention_time,
        statsd: sink(&source.statsd_address)?,
        statsite: sink(&source.statsite_address)?,
        dogstatsd: sink(&source.dogstatsd_addr)?,
        dogstatsd_tags: source.dogstatsd_tags.clone(),
    })
}

pub fn metrics_filter(config: &RuntimeConfig) -> PrefixFilter {
    let source = &config.telemetry;
    let rules = source.allowed_prefixes.iter().map(|prefix| format!("+{prefix}"));
    let rules: Vec<String> =
        rules.chain(source.blocked_prefixes.iter().map(|prefix| format!("-{prefix}"))).collect();
    PrefixFilter::parse(&rules, source.filter_default).0
}
