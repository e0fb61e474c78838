//! The DNS door.

use super::Context;
use super::cluster::expand_all;
use crate::section::Section;
use consul_api::types::duration::GoDuration;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A host, by address or name, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Which recursor is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecursorStrategy {
    #[default]
    Sequential,
    Random,
}

/// Numbers of the zone's SOA record, in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoaConfig {
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub min_ttl: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsConfig {
    /// As configured, with or without the final dot.
    pub domain: String,
    /// Empty if there is none.
    pub alt_domain: String,
    pub recursors: Vec<Endpoint>,
    pub allow_stale: bool,
    pub max_stale: Duration,
    pub node_ttl: Duration,
    /// By service name, or by prefix if the key ends in `*`.
    pub service_ttl: BTreeMap<String, Duration>,
    pub enable_truncate: bool,
    pub only_passing: bool,
    pub disable_compression: bool,
    pub udp_answer_limit: u32,
    /// 0 is no limit.
    pub a_record_limit: u32,
    pub node_meta_txt: bool,
    pub recursor_timeout: Duration,
    pub recursor_strategy: RecursorStrategy,
    pub soa: SoaConfig,
    pub use_cache: bool,
    pub cache_max_age: Duration,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            domain: "consul.".to_owned(),
            alt_domain: String::new(),
            recursors: Vec::new(),
            allow_stale: true,
            max_stale: Duration::from_secs(87600 * 3600),
            node_ttl: Duration::ZERO,
            service_ttl: BTreeMap::new(),
            enable_truncate: false,
            only_passing: false,
            disable_compression: false,
            udp_answer_limit: 3,
            a_record_limit: 0,
            node_meta_txt: true,
            recursor_timeout: Duration::from_secs(2),
            recursor_strategy: RecursorStrategy::Sequential,
            soa: SoaConfig { refresh: 3600, retry: 600, expire: 86400, min_ttl: 0 },
            use_cache: false,
            cache_max_age: Duration::ZERO,
        }
    }
}

impl DnsConfig {
    pub(super) fn read(root: &Section<'_>, cx: &Context<'_>) -> Self {
        let d = Self::default();
        let section = root.block("dns_config");
        let soa = section.block("soa");
        Self {
            domain: root.text("domain").filter(|domain| !domain.is_empty()).unwrap_or(d.domain),
            alt_domain: root.text_or_empty("alt_domain"),
            recursors: recursors(root, cx),
            allow_stale: section.flag("allow_stale").unwrap_or(d.allow_stale),
            max_stale: section.duration("max_stale").unwrap_or(d.max_stale),
            node_ttl: section.duration("node_ttl").unwrap_or(d.node_ttl),
            service_ttl: service_ttl(&section),
            enable_truncate: section.flag("enable_truncate").unwrap_or(d.enable_truncate),
            only_passing: section.flag("only_passing").unwrap_or(d.only_passing),
            disable_compression: section.flag("disable_compression").unwrap_or(d.disable_compression),
            udp_answer_limit: section.count("udp_answer_limit").unwrap_or(d.udp_answer_limit),
            a_record_limit: section.count("a_record_limit").unwrap_or(d.a_record_limit),
            node_meta_txt: section.flag("enable_additional_node_meta_txt").unwrap_or(d.node_meta_txt),
            recursor_timeout: section.duration("recursor_timeout").unwrap_or(d.recursor_timeout),
            recursor_strategy: strategy(&section),
            soa: SoaConfig {
                refresh: soa.count("refresh").unwrap_or(d.soa.refresh),
                retry: soa.count("retry").unwrap_or(d.soa.retry),
                expire: soa.count("expire").unwrap_or(d.soa.expire),
                min_ttl: soa.count("min_ttl").unwrap_or(d.soa.min_ttl),
            },
            use_cache: section.flag("use_cache").unwrap_or(d.use_cache),
            cache_max_age: section.duration("cache_max_age").unwrap_or(d.cache_max_age),
        }
    }
}

fn strategy(section: &Section<'_>) -> RecursorStrategy {
    match section.text_or_empty("recursor_strategy").as_str() {
        "" | "sequential" => RecursorStrategy::Sequential,
        "random" => RecursorStrategy::Random,
        other => {
            section.fail("recursor_strategy", format!("invalid strategy: {other:?}"));
            RecursorStrategy::Sequential
        }
    }
}

fn service_ttl(section: &Section<'_>) -> BTreeMap<String, Duration> {
    let mut ttls = BTreeMap::new();
    for (service, text) in section.map("service_ttl") {
        match text.parse::<GoDuration>() {
            Ok(span) => {
                ttls.insert(service, span.to_std());
            }
            Err(error) => {
                let path = section.path("service_ttl");
                section.report(
                    "service_ttl",
                    format!("{path}[{service:?}]: invalid duration: {text:?}: {error}"),
                );
            }
        }
    }
    ttls
}

/// Duplicates are dropped, the order is kept.
fn recursors(root: &Section<'_>, cx: &Context<'_>) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    let mut seen = HashSet::new();
    for text in expand_all(root, "recursors", cx) {
        if text.starts_with("unix://") {
            root.report("recursors", format!("DNS Recursors cannot be unix sockets: {text}"));
            continue;
        }
        let Some(endpoint) = endpoint(&text, 53) else {
            root.report("recursors", format!("Invalid recursor address: {text}"));
            continue;
        };
        if endpoint.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            root.report("recursors", "DNS recursor address cannot be 0.0.0.0, :: or [::]");
            continue;
        }
        if seen.insert(endpoint.clone()) {
            endpoints.push(endpoint);
        }
    }
    endpoints
}

/// Reads `host`, `host:port`, `v6` or `[v6]:port`.
fn endpoint(text: &str, default_port: u16) -> Option<Endpoint> {
    if text.parse::<IpAddr>().is_ok() {
        return Some(Endpoint { host: text.to_owned(), port: default_port });
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None if port.is_empty() => default_port,
            None => return None,
        };
        return Some(Endpoint { host: host.to_owned(), port });
    }
    match text.split_once(':') {
        Some((host, port)) if !host.is_empty() => {
            Some(Endpoint { host: host.to_owned(), port: port.parse().ok()? })
        }
        Some(_) => None,
        None if text.is_empty() => None,
        None => Some(Endpoint { host: text.to_owned(), port: default_port }),
    }
}
