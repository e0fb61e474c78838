//! What the configuration says about DNS, parsed once.
//!
//! The door asks its [`Backend`](crate::backend::Backend) for the settings at every question, so a reload swaps one
//! `Arc` and the next question is answered under the new ones.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::rr::Name;
use thiserror::Error;

/// Everything of the configuration that decides how a question is answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This agent's datacenter: the one meant by names that state none. Lower case.
    pub datacenter: String,
    /// This agent's node name: the source of `near = "_agent"`.
    pub node_name: String,
    pub domain: Zone,
    pub alt_domain: Option<Zone>,
    /// Servers for names outside of our zones, in order of preference. Empty: such names are refused.
    pub recursors: Vec<SocketAddr>,
    pub recursor_timeout: Duration,
    pub recursor_strategy: RecursorStrategy,
    pub allow_stale: bool,
    /// Data older than this is read again from the leader.
    pub max_stale: Duration,
    pub use_cache: bool,
    /// Oldest acceptable cache entry; zero accepts any.
    pub cache_max_age: Duration,
    pub node_ttl: Duration,
    pub service_ttl: ServiceTtl,
    /// Sets the TC bit when answers had to be left out.
    pub enable_truncate: bool,
    pub only_passing: bool,
    pub disable_compression: bool,
    pub node_meta_txt: bool,
    /// Answers over UDP to clients without EDNS; 0 leaves only the fixed limit of 8.
    pub udp_answer_limit: usize,
    /// Address answers on any transport; 0 is no limit.
    pub a_record_limit: usize,
    pub soa: SoaTimes,
    /// Answers with WAN addresses for other datacenters.
    pub translate_wan_addrs: bool,
}

/// The numbers of the SOA record, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoaTimes {
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    /// Also the TTL of the SOA record itself, hence how long resolvers remember a negative answer.
    pub min_ttl: u32,
}

impl Default for SoaTimes {
    fn default() -> Self {
        Self { refresh: 3600, retry: 600, expire: 86400, min_ttl: 0 }
    }
}

/// The order in which recursors are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecursorStrategy {
    #[default]
    Sequential,
    Random,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("{0:?} is not a valid DNS domain")]
    Domain(String),
}

impl Settings {
    /// The defaults for an agent of `datacenter` that serves `domain`.
    ///
    /// # Errors
    /// If `domain` is empty or no domain name.
    pub fn new(datacenter: &str, node_name: &str, domain: &str) -> Result<Self, SettingsError> {
        Ok(Self {
            datacenter: datacenter.to_ascii_lowercase(),
            node_name: node_name.to_owned(),
            domain: Zone::new(domain)?,
            alt_domain: None,
            recursors: Vec::new(),
            recursor_timeout: Duration::from_secs(2),
            recursor_strategy: RecursorStrategy::default(),
            allow_stale: true,
            max_stale: Duration::from_secs(87_600 * 3600),
            use_cache: false,
            cache_max_age: Duration::ZERO,
            node_ttl: Duration::ZERO,
            service_ttl: ServiceTtl::default(),
            enable_truncate: false,
            only_passing: false,
            disable_compression: false,
            node_meta_txt: true,
            udp_answer_limit: 3,
            a_record_limit: 0,
            soa: SoaTimes::default(),
            translate_wan_addrs: false,
        })
    }

    /// TTL of node records, in whole seconds.
    pub fn node_ttl_secs(&self) -> u32 {
        whole_secs(self.node_ttl)
    }
}

/// Seconds for the wire, rounded down.
pub fn whole_secs(ttl: Duration) -> u32 {
    u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX)
}

/// A domain we answer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Name,
    labels: Vec<String>,
}

impl Zone {
    /// Reads `domain`, with or without the final dot; the zone is spelled in lower case from here on.
    ///
    /// # Errors
    /// If there is no label, or one is not a valid DNS label.
    pub fn new(domain: &str) -> Result<Self, SettingsError> {
        let invalid = || SettingsError::Domain(domain.to_owned());
        let lower = domain.trim_matches('.').to_ascii_lowercase();
        if lower.is_empty() {
            return Err(invalid());
        }
        let labels: Vec<String> = lower.split('.').map(str::to_owned).collect();
        let name = Name::from_labels(labels.iter().map(String::as_bytes)).map_err(|_| invalid())?;
        Ok(Self { name, labels })
    }

    /// The zone's apex.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The labels left of this zone in `labels` (lower case, leftmost first), or `None` if outside of it.
    pub fn strip<'a, 'b>(&self, labels: &'a [&'b str]) -> Option<&'a [&'b str]> {
        let keep = labels.len().checked_sub(self.labels.len())?;
        let (left, right) = labels.split_at(keep);
        right.iter().zip(&self.labels).all(|(a, b)| a == b).then_some(left)
    }

    /// Number of labels: the longer of two matching zones is the more specific one.
    pub fn depth(&self) -> usize {
        self.labels.len()
    }
}

/// TTLs of service answers by name: exact names first, then the longest prefix.
#[derive(Clone, Debug, Default)]
pub struct ServiceTtl {
    exact: BTreeMap<String, u32>,
    /// Longest first.
    prefixes: Vec<(String, u32)>,
}

impl ServiceTtl {
    /// A key that ends in `*` stands for every name that starts with what precedes it.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, Duration)>) -> Self {
        let mut table = Self::default();
        for (key, ttl) in entries {
            let key = key.to_lowercase();
            match key.strip_suffix('*') {
                Some(prefix) => table.prefixes.push((prefix.to_owned(), whole_secs(ttl))),
                None => {
                    table.exact.insert(key, whole_secs(ttl));
                }
            }
        }
        table.prefixes.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.0.cmp(&b.0)));
        table
    }

    /// Seconds for `service` in any letter case; 0 where nothing is configured.
    pub fn secs(&self, service: &str) -> u32 {
        if self.exact.is_empty() && self.prefixes.is_empty() {
            return 0;
        }
        let service = service.to_lowercase();
        if let Some(ttl) = self.exact.get(&service) {
            return *ttl;
        }
        self.prefixes.iter().find(|(prefix, _)| service.starts_with(prefix)).map_or(0, |(_, ttl)| *ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_service_ttl_beats_longest_prefix_beats_star() {
        let secs = Duration::from_secs;
        let ttl =
            ServiceTtl::new([("*", secs(1)), ("db*", secs(2)), ("DB-master", secs(3)), ("db-m*", secs(4))]);
        assert_eq!(ttl.secs("web"), 1);
        assert_eq!(ttl.secs("db"), 2);
        assert_eq!(ttl.secs("db-main"), 4);
        assert_eq!(ttl.secs("Db-Master"), 3);
        assert_eq!(ServiceTtl::default().secs("web"), 0);
    }

    #[test]
    fn ttl_is_rounded_down_to_seconds() {
        assert_eq!(whole_secs(Duration::from_millis(1999)), 1);
        assert_eq!(whole_secs(Duration::MAX), u32::MAX);
    }

    #[test]
    fn zone_takes_any_case_and_several_labels() {
        let zone = Zone::new("Corp.Internal.").unwrap();
        assert_eq!(zone.name().to_ascii(), "corp.internal.");
        assert_eq!(zone.strip(&["a", "corp", "internal"]), Some(&["a"][..]));
        assert_eq!(zone.strip(&["internal"]), None);
        assert!(Zone::new("").is_err());
        assert!(Zone::new("a..b").is_err());
    }
}
