//! How an agent finds its cluster and is let in.

use super::Context;
use crate::addr_template;
use crate::host::Secret;
use crate::section::Section;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootstrapConfig {
    /// Elect oneself at once.
    pub alone: bool,
    /// Servers to wait for; 0 if not set.
    pub expect: u32,
}

impl BootstrapConfig {
    pub(super) fn read(root: &Section<'_>) -> Self {
        Self {
            alone: root.flag("bootstrap").unwrap_or(false),
            expect: root.count("bootstrap_expect").unwrap_or(0),
        }
    }

    /// True if this server forms a cluster by itself.
    pub fn is_alone(&self) -> bool {
        self.alone || self.expect == 1
    }
}

/// Joining one gossip pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinPool {
    /// Joined once; the start fails if none can be.
    pub start: Vec<String>,
    /// Joined again and again; `provider=…` entries ask a cloud for addresses.
    pub retry: Vec<String>,
    pub retry_interval: Duration,
    /// Attempts before giving up; 0 is for ever.
    pub retry_max: u32,
}

impl Default for JoinPool {
    fn default() -> Self {
        Self { start: Vec::new(), retry: Vec::new(), retry_interval: Duration::from_secs(30), retry_max: 0 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinConfig {
    pub lan: JoinPool,
    pub wan: JoinPool,
    /// Rejoin known agents even after having left on purpose.
    pub rejoin_after_leave: bool,
}

impl JoinConfig {
    pub(super) fn read(root: &Section<'_>, cx: &Context<'_>) -> Self {
        let defaults = JoinPool::default();
        Self {
            lan: JoinPool {
                start: expand_all(root, "start_join", cx),
                retry: expand_all(root, "retry_join", cx),
                retry_interval: root.duration("retry_interval").unwrap_or(defaults.retry_interval),
                retry_max: root.count("retry_max").unwrap_or(defaults.retry_max),
            },
            wan: JoinPool {
                start: expand_all(root, "start_join_wan", cx),
                retry: expand_all(root, "retry_join_wan", cx),
                retry_interval: root.duration("retry_interval_wan").unwrap_or(defaults.retry_interval),
                retry_max: root.count("retry_max_wan").unwrap_or(defaults.retry_max),
            },
            rejoin_after_leave: root.flag("rejoin_after_leave").unwrap_or(false),
        }
    }
}

/// Expands the templates among a list of addresses; one template may give several.
pub(super) fn expand_all(section: &Section<'_>, key: &str, cx: &Context<'_>) -> Vec<String> {
    let mut expanded = Vec::new();
    for text in section.texts(key) {
        if !text.contains("{{") {
            expanded.extend(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
            continue;
        }
        match addr_template::expand(&text, &cx.host.interfaces) {
            Ok(addresses) => expanded.extend(addresses.split_whitespace().map(str::to_owned)),
            Err(error) => section.fail(key, format!("error parsing {text:?}: {error}")),
        }
    }
    expanded
}

/// Certificates for clients, handed out by servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoEncryptConfig {
    /// This client asks for a certificate.
    pub tls: bool,
    /// This server hands them out.
    pub allow_tls: bool,
    pub dns_san: Vec<String>,
    pub ip_san: Vec<IpAddr>,
}

impl AutoEncryptConfig {
    pub(super) fn read(section: &Section<'_>, cx: &mut Context<'_>) -> Self {
        Self {
            tls: section.flag("tls").unwrap_or(false),
            allow_tls: section.flag("allow_tls").unwrap_or(false),
            dns_san: section.texts("dns_san"),
            ip_san: ip_sans(section, "ip_san", cx),
        }
    }
}

/// A bad one is left out with a notice: the certificate works without it.
fn ip_sans(section: &Section<'_>, key: &str, cx: &mut Context<'_>) -> Vec<IpAddr> {
    let mut ips = Vec::new();
    for text in section.texts(key) {
        match text.trim().parse() {
            Ok(ip) => ips.push(ip),
            Err(_) => cx
                .warnings
                .push(format!("Cannot parse ip {text:?} from {}", section.path(key)), section.pos(key)),
        }
    }
    ips
}

/// Configuration of clients by servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoConfig {
    pub enabled: bool,
    pub intro_token: Secret,
    pub intro_token_file: Option<PathBuf>,
    pub server_addresses: Vec<String>,
    pub dns_sans: Vec<String>,
    pub ip_sans: Vec<IpAddr>,
    pub authorization: AutoConfigAuthorization,
}

/// How a server checks a client's introduction token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AutoConfigAuthorization {
    pub enabled: bool,
    pub jwt_validation_pub_keys: Vec<String>,
    pub oidc_discovery_url: String,
    pub oidc_discovery_ca_cert: String,
    pub jwks_url: String,
    pub jwks_ca_cert: String,
    pub claim_mappings: BTreeMap<String, String>,
    pub list_claim_mappings: BTreeMap<String, String>,
    pub jwt_supported_algs: Vec<String>,
    pub bound_audiences: Vec<String>,
    pub bound_issuer: String,
    pub expiration_leeway: Duration,
    pub not_before_leeway: Duration,
    pub clock_skew_leeway: Duration,
    pub claim_assertions: Vec<String>,
    pub allow_reuse: bool,
}

impl AutoConfig {
    pub(super) fn read(section: &Section<'_>, cx: &mut Context<'_>) -> Self {
        let token = section.text("intro_token").filter(|token| !token.is_empty()).map(Secret);
        Self {
            enabled: section.flag("enabled").unwrap_or(false),
            intro_token: token.or_else(|| cx.host.intro_token.clone()).unwrap_or_default(),
            intro_token_file: section
                .text("intro_token_file")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            server_addresses: expand_all(section, "server_addresses", cx),
            dns_sans: section.texts("dns_sans"),
            ip_sans: ip_sans(section, "ip_sans", cx),
            authorization: AutoConfigAuthorization::read(&section.block("authorization")),
        }
    }
}

impl AutoConfigAuthorization {
    fn read(section: &Section<'_>) -> Self {
        let rules = section.block("static");
        let leeway = |key| rules.duration(key).unwrap_or_default();
        Self {
            enabled: section.flag("enabled").unwrap_or(false),
            jwt_validation_pub_keys: rules.texts("jwt_validation_pub_keys"),
            oidc_discovery_url: rules.text_or_empty("oidc_discovery_url"),
            oidc_discovery_ca_cert: rules.text_or_empty("oidc_discovery_ca_cert"),
            jwks_url: rules.text_or_empty("jwks_url"),
            jwks_ca_cert: rules.text_or_empty("jwks_ca_cert"),
            claim_mappings: rules.map("claim_mappings"),
            list_claim_mappings: rules.map("list_claim_mappings"),
            jwt_supported_algs: rules.texts("jwt_supported_algs"),
            bound_audiences: rules.texts("bound_audiences"),
            bound_issuer: rules.text_or_empty("bound_issuer"),
            expiration_leeway: leeway("expiration_leeway"),
            not_before_leeway: leeway("not_before_leeway"),
            clock_skew_leeway: leeway("clock_skew_leeway"),
            claim_assertions: rules.texts("claim_assertions"),
            allow_reuse: rules.flag("allow_reuse").unwrap_or(false),
        }
    }
}
