//! Access control: whether, how strictly, and the agent's own tokens.

use crate::host::Secret;
use crate::section::Section;
use std::time::Duration;

/// What holds where no rule says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultPolicy {
    Allow,
    Deny,
}

/// What holds while tokens cannot be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownPolicy {
    Allow,
    Deny,
    /// Go on with what is known, however old.
    ExtendCache,
    /// The same, refreshing in the background.
    AsyncCache,
}

impl DefaultPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl DownPolicy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ExtendCache => "extend-cache",
            Self::AsyncCache => "async-cache",
        }
    }
}

/// The agent's tokens; empty if not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclTokens {
    pub default: Secret,
    pub agent: Secret,
    pub replication: Secret,
    pub initial_management: Secret,
    pub agent_recovery: Secret,
    pub config_file_service_registration: Secret,
    pub dns: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclConfig {
    pub enabled: bool,
    pub default_policy: DefaultPolicy,
    pub down_policy: DownPolicy,
    pub token_ttl: Duration,
    pub policy_ttl: Duration,
    pub role_ttl: Duration,
    pub enable_token_replication: bool,
    pub enable_key_list_policy: bool,
    /// Keep tokens set through the API in the data directory.
    pub enable_token_persistence: bool,
    pub tokens: AclTokens,
}

impl Default for AclConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            default_policy: DefaultPolicy::Allow,
            down_policy: DownPolicy::ExtendCache,
            token_ttl: Duration::from_secs(30),
            policy_ttl: Duration::from_secs(30),
            role_ttl: Duration::from_secs(30),
            enable_token_replication: false,
            enable_key_list_policy: false,
            enable_token_persistence: false,
            tokens: AclTokens::default(),
        }
    }
}

impl AclConfig {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let d = Self::default();
        Self {
            enabled: section.flag("enabled").unwrap_or(d.enabled),
            default_policy: default_policy(section).unwrap_or(d.default_policy),
            down_policy: down_policy(section).unwrap_or(d.down_policy),
            token_ttl: section.duration("token_ttl").unwrap_or(d.token_ttl),
            policy_ttl: section.duration("policy_ttl").unwrap_or(d.policy_ttl),
            role_ttl: section.duration("role_ttl").unwrap_or(d.role_ttl),
            enable_token_replication: section
                .flag("enable_token_replication")
                .unwrap_or(d.enable_token_replication),
            enable_key_list_policy: section
                .flag("enable_key_list_policy")
                .unwrap_or(d.enable_key_list_policy),
            enable_token_persistence: section
                .flag("enable_token_persistence")
                .unwrap_or(d.enable_token_persistence),
            tokens: AclTokens::read(&section.block("tokens")),
        }
    }
}

impl AclTokens {
    fn read(section: &Section<'_>) -> Self {
        let token = |key| Secret(section.text_or_empty(key));
        Self {
            default: token("default"),
            agent: token("agent"),
            replication: token("replication"),
            initial_management: token("initial_management"),
            agent_recovery: token("agent_recovery"),
            config_file_service_registration: token("config_file_service_registration"),
            dns: token("dns"),
        }
    }
}

fn default_policy(section: &Section<'_>) -> Option<DefaultPolicy> {
    match section.text("default_policy")?.as_str() {
        "" => None,
        "allow" => Some(DefaultPolicy::Allow),
        "deny" => Some(DefaultPolicy::Deny),
        other => {
            section.report("default_policy", format!("Unsupported default ACL policy: {other}"));
            None
        }
    }
}

fn down_policy(section: &Section<'_>) -> Option<DownPolicy> {
    match section.text("down_policy")?.as_str() {
        "" => None,
        "allow" => Some(DownPolicy::Allow),
        "deny" => Some(DownPolicy::Deny),
        "extend-cache" => Some(DownPolicy::ExtendCache),
        "async-cache" => Some(DownPolicy::AsyncCache),
        other => {
            section.report("down_policy", format!("Unsupported down ACL policy: {other}"));
            None
        }
    }
}
