//! The HTTP door and the limits on all doors.

use super::Context;
use super::gossip::cidrs;
use crate::section::Section;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Path prefixes that answer 403.
    pub block_endpoints: Vec<String>,
    /// Networks whose clients may write; empty is all.
    pub allow_write_from: Vec<IpNet>,
    pub response_headers: BTreeMap<String, String>,
    /// Let clients ask for cached answers.
    pub use_cache: bool,
    /// Longest request header in bytes; absent for the server's own limit.
    pub max_header_bytes: Option<u32>,
    /// Take paths with unprintable characters.
    pub disable_unprintable_char_filter: bool,
}

impl HttpConfig {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let section = root.block("http_config");
        Self {
            block_endpoints: section.texts("block_endpoints"),
            allow_write_from: allow_write_from(&section),
            response_headers: section.map("response_headers"),
            use_cache: section.flag("use_cache").unwrap_or(true),
            max_header_bytes: section.count("max_header_bytes").filter(|bytes: &u32| *bytes > 0),
            disable_unprintable_char_filter: root
                .flag("disable_http_unprintable_char_filter")
                .unwrap_or(false),
        }
    }
}

fn allow_write_from(section: &Section<'_>) -> Vec<IpNet> {
    cidrs(section, "allow_write_http_from", "allow_write_http_from")
}

/// Events per second; absent for no limit.
pub type RateLimit = Option<f64>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestLimitMode {
    #[default]
    Disabled,
    /// Log what would be refused.
    Permissive,
    Enforcing,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestLimits {
    pub mode: RequestLimitMode,
    pub read_rate: RateLimit,
    pub write_rate: RateLimit,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LimitsConfig {
    pub http_max_conns_per_client: u32,
    pub https_handshake_timeout: Duration,
    pub rpc_handshake_timeout: Duration,
    pub rpc_client_timeout: Duration,
    pub rpc_max_conns_per_client: u32,
    /// Requests per second from this client to servers.
    pub rpc_rate: RateLimit,
    pub rpc_max_burst: u32,
    /// Bytes.
    pub kv_max_value_size: u64,
    /// Bytes.
    pub txn_max_req_len: u64,
    pub request_limits: RequestLimits,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            http_max_conns_per_client: 200,
            https_handshake_timeout: Duration::from_secs(5),
            rpc_handshake_timeout: Duration::from_secs(5),
            rpc_client_timeout: Duration::from_secs(60),
            rpc_max_conns_per_client: 100,
            rpc_rate: None,
            rpc_max_burst: 1000,
            kv_max_value_size: 512 * 1024,
            txn_max_req_len: 512 * 1024,
            request_limits: RequestLimits::default(),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(section: &Section<'_>, cx: &Context<'_>) -> Self {
        let d = Self::default();
        check_open_files(section, cx);
        Self {
            http_max_conns_per_client: section
                .count("http_max_conns_per_client")
                .unwrap_or(d.http_max_conns_per_client),
            https_handshake_timeout: section
                .duration("https_handshake_timeout")
                .unwrap_or(d.https_handshake_timeout),
            rpc_handshake_timeout: section
                .duration("rpc_handshake_timeout")
                .unwrap_or(d.rpc_handshake_timeout),
            rpc_client_timeout: section.duration("rpc_client_timeout").unwrap_or(d.rpc_client_timeout),
            rpc_max_conns_per_client: section
                .count("rpc_max_conns_per_client")
                .unwrap_or(d.rpc_max_conns_per_client),
            rpc_rate: rate(section, "rpc_rate"),
            rpc_max_burst: section.count("rpc_max_burst").unwrap_or(d.rpc_max_burst),
            kv_max_value_size: section.count("kv_max_value_size").unwrap_or(d.kv_max_value_size),
            txn_max_req_len: section.count("txn_max_req_len").unwrap_or(d.txn_max_req_len),
            request_limits: RequestLimits::read(&section.block("request_limits")),
        }
    }
}

/// Descriptors an agent needs beside those of one busy client.
const OPEN_FILES_RESERVED: i64 = 20;

fn check_open_files(section: &Section<'_>, cx: &Context<'_>) {
    let Some(conns) = section.int("http_max_conns_per_client") else { return };
    let Some(max) = cx.host.open_files_max else { return };
    let needed = conns.saturating_add(OPEN_FILES_RESERVED);
    if i64::try_from(max).is_ok_and(|max| needed > max) {
        let message = format!(
            "system allows a max of {max} file descriptors, but limits.http_max_conns_per_client: {conns} needs at \
             least {needed}"
        );
        section.report("http_max_conns_per_client", message);
    }
}

impl RequestLimits {
    fn read(section: &Section<'_>) -> Self {
        let mode = match section.text_or_empty("mode").to_lowercase().as_str() {
            "" | "disabled" => RequestLimitMode::Disabled,
            "permissive" => RequestLimitMode::Permissive,
            "enforcing" => RequestLimitMode::Enforcing,
            other => {
                section
                    .fail("mode", format!("invalid mode {other:?}: use disabled, permissive or enforcing"));
                RequestLimitMode::Disabled
            }
        };
        Self { mode, read_rate: rate(section, "read_rate"), write_rate: rate(section, "write_rate") }
    }
}

/// A negative rate is no limit.
pub(super) fn rate(section: &Section<'_>, key: &str) -> RateLimit {
    section.float(key).filter(|rate| *rate >= 0.0)
}
