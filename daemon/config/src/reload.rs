//! What a running agent takes over from a configuration that was loaded again.
//!
//! Much cannot change without a restart: what is bound, advertised or on disk. Such changes are not errors, as
//! files are often edited ahead of a restart; they are named so that the operator can be told.

use crate::runtime::RuntimeConfig;

/// A part of the agent that has to act on a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    AclTokens,
    Services,
    Checks,
    NodeMeta,
    Watches,
    LogLevel,
    /// Every key of the DNS door, recursors included.
    Dns,
    /// Connection, RPC and request limits.
    Limits,
    MetricsFilter,
    DiscardCheckOutput,
    Cache,
    BootstrapConfigEntries,
    /// File names or rules of TLS. Files whose names stayed may have new contents; look at those in any case.
    Tls,
    RaftSnapshots,
    RaftTiming,
}

/// What to do on a reload.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The running configuration with everything reloadable replaced.
    pub config: RuntimeConfig,
    pub changes: Vec<Change>,
    /// Parts that differ but take effect only after a restart.
    pub after_restart: Vec<&'static str>,
}

/// Compares the running configuration with a newly loaded one. Changes nothing itself.
pub fn plan(running: &RuntimeConfig, loaded: &RuntimeConfig) -> Plan {
    let mut plan = Plan { config: running.clone(), changes: Vec::new(), after_restart: Vec::new() };
    let Plan { config, changes, .. } = &mut plan;
    let mut take = Taker { changes };
    take.over(&mut config.acl.tokens, &loaded.acl.tokens, Change::AclTokens);
    take.over(&mut config.service_definitions, &loaded.service_definitions, Change::Services);
    take.over(&mut config.check_definitions, &loaded.check_definitions, Change::Checks);
    take.over(&mut config.node.meta, &loaded.node.meta, Change::NodeMeta);
    take.over(&mut config.watches, &loaded.watches, Change::Watches);
    take.over(&mut config.log.level, &loaded.log.level, Change::LogLevel);
    take_dns(&mut take, config, loaded);
    take_limits(&mut take, config, loaded);
    let (to, from) = (&mut config.telemetry, &loaded.telemetry);
    take.over(&mut to.allowed_prefixes, &from.allowed_prefixes, Change::MetricsFilter);
    take.over(&mut to.blocked_prefixes, &from.blocked_prefixes, Change::MetricsFilter);
    take.over(&mut to.filter_default, &from.filter_default, Change::MetricsFilter);
    take.over(&mut config.checks.discard_output, &loaded.checks.discard_output, Change::DiscardCheckOutput);
    take.over(&mut config.cache, &loaded.cache, Change::Cache);
    take.over(
        &mut config.bootstrap_config_entries,
        &loaded.bootstrap_config_entries,
        Change::BootstrapConfigEntries,
    );
    take.over(&mut config.tls, &loaded.tls, Change::Tls);
    take_raft(&mut take, config, loaded);
    plan.after_restart = after_restart(&plan.config, loaded);
    plan
}

struct Taker<'a> {
    changes: &'a mut Vec<Change>,
}

impl Taker<'_> {
    fn over<T: Clone + PartialEq>(&mut self, to: &mut T, from: &T, change: Change) {
        if to == from {
            return;
        }
        to.clone_from(from);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}

fn take_dns(take: &mut Taker<'_>, config: &mut RuntimeConfig, loaded: &RuntimeConfig) {
    let mut dns = loaded.dns.clone();
    // The zones are part of what the listeners were set up for.
    dns.domain.clone_from(&config.dns.domain);
    dns.alt_domain.clone_from(&config.dns.alt_domain);
    take.over(&mut config.dns, &dns, Change::Dns);
}

fn take_limits(take: &mut Taker<'_>, config: &mut RuntimeConfig, loaded: &RuntimeConfig) {
    let (to, from) = (&mut config.limits, &loaded.limits);
    take.over(&mut to.http_max_conns_per_client, &from.http_max_conns_per_client, Change::Limits);
    take.over(&mut to.rpc_max_conns_per_client, &from.rpc_max_conns_per_client, Change::Limits);
    take.over(&mut to.rpc_rate, &from.rpc_rate, Change::Limits);
    take.over(&mut to.rpc_max_burst, &from.rpc_max_burst, Change::Limits);
    take.over(&mut to.rpc_client_timeout, &from.rpc_client_timeout, Change::Limits);
    take.over(&mut to.request_limits, &from.request_limits, Change::Limits);
}

fn take_raft(take: &mut Taker<'_>, config: &mut RuntimeConfig, loaded: &RuntimeConfig) {
    let (to, from) = (&mut config.raft, &loaded.raft);
    take.over(&mut to.snapshot_interval, &from.snapshot_interval, Change::RaftSnapshots);
    take.over(&mut to.snapshot_threshold, &from.snapshot_threshold, Change::RaftSnapshots);
    take.over(&mut to.trailing_logs, &from.trailing_logs, Change::RaftSnapshots);
    take.over(&mut to.multiplier, &from.multiplier, Change::RaftTiming);
    take.over(&mut to.heartbeat_timeout, &from.heartbeat_timeout, Change::RaftTiming);
    take.over(&mut to.election_timeout, &from.election_timeout, Change::RaftTiming);
    take.over(&mut to.leader_lease_timeout, &from.leader_lease_timeout, Change::RaftTiming);
}

/// What still differs once everything reloadable was taken over.
fn after_restart(effective: &RuntimeConfig, loaded: &RuntimeConfig) -> Vec<&'static str> {
    let (a, b) = (effective, loaded);
    [
        ("server", a.server != b.server),
        ("node", a.node != b.node),
        ("bootstrap", a.bootstrap != b.bootstrap),
        ("ports", a.ports != b.ports),
        ("addresses", a.network != b.network),
        ("join", a.join != b.join),
        ("gossip", a.gossip != b.gossip),
        ("raft", a.raft != b.raft),
        ("autopilot", a.autopilot != b.autopilot),
        ("acl", a.acl != b.acl),
        ("auto_encrypt", a.auto_encrypt != b.auto_encrypt),
        ("auto_config", a.auto_config != b.auto_config),
        ("connect", a.connect != b.connect),
        ("domain", a.dns != b.dns),
        ("http_config", a.http != b.http),
        ("limits", a.limits != b.limits),
        ("telemetry", a.telemetry != b.telemetry),
        ("log", a.log != b.log),
        ("checks", a.checks != b.checks),
        ("queries", a.queries != b.queries),
        ("process", a.process != b.process),
        ("ui_config", a.ui != b.ui),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}
