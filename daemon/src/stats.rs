//! Figures about the running agent: what `consul info` prints. All values are texts.

use std::collections::BTreeMap;

use consul_api::types::duration::GoDuration;
use consul_gossip::pool::Pool;
use consul_raft::{Metrics, Role, ServerMetrics};
use futures::future::OptionFuture;

use crate::agent::Agent;
use crate::server::Server;
use crate::version;

/// Values by section and name.
pub type Stats = BTreeMap<&'static str, BTreeMap<&'static str, String>>;
type Section = BTreeMap<&'static str, String>;

pub async fn of(agent: &Agent) -> Stats {
    let mut stats = Stats::from([
        ("agent", local(agent)),
        ("build", build()),
        ("consul", role(agent)),
        ("runtime", runtime()),
    ]);
    if let Some(server) = &agent.server {
        stats.insert("raft", raft(server));
    }
    if let Some(gossip) = &agent.gossip {
        for (name, pool) in [("serf_lan", Some(&gossip.lan)), ("serf_wan", gossip.wan.as_ref())] {
            // A pool that has ended has no figures any more.
            let Some(Ok(figures)) = OptionFuture::from(pool.map(Pool::stats)).await else { continue };
            stats.insert(name, figures.pairs().into());
        }
    }
    stats
}

fn local(agent: &Agent) -> Section {
    agent.services.book.read(|state| {
        let (mut ttls, mut monitors) = (0_usize, 0_usize);
        for definition in state.checks().filter_map(|entry| entry.definition.as_ref()) {
            ttls += usize::from(!definition.ttl.is_zero());
            monitors += usize::from(!definition.interval.is_zero());
        }
        Section::from([
            ("check_monitors", monitors.to_string()),
            ("check_ttls", ttls.to_string()),
            ("checks", state.checks().count().to_string()),
            ("services", state.services().count().to_string()),
        ])
    })
}

fn build() -> Section {
    Section::from([
        ("prerelease", String::new()),
        ("revision", String::new()),
        ("version", version::API_LEVEL.to_owned()),
        ("version_metadata", version::METADATA.to_owned()),
    ])
}

fn role(agent: &Agent) -> Section {
    let acl = if agent.config.load().acl.enabled { "enabled" } else { "disabled" };
    let mut section =
        Section::from([("acl", acl.to_owned()), ("server", agent.server.is_some().to_string())]);
    match &agent.server {
        Some(server) => {
            let leader = server.raft.leader();
            section.insert("bootstrap", agent.member.bootstrap.to_string());
            section.insert("known_datacenters", agent.servers.router.datacenters().len().to_string());
            section.insert("leader", server.raft.is_leader().to_string());
            section.insert("leader_addr", leader.map(|peer| peer.address).unwrap_or_default());
        }
        None => {
            let servers = agent.servers.router.servers(&agent.identity.datacenter);
            section.insert("known_servers", servers.len().to_string());
        }
    }
    section
}

fn runtime() -> Section {
    let tokio = tokio::runtime::Handle::current().metrics();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    Section::from([
        ("arch", go_arch(std::env::consts::ARCH).to_owned()),
        ("cpu_count", cpus.to_string()),
        ("goroutines", tokio.num_alive_tasks().to_string()),
        ("max_procs", tokio.num_workers().to_string()),
        ("os", std::env::consts::OS.to_owned()),
        ("version", format!("rust{}", env!("CARGO_PKG_RUST_VERSION"))),
    ])
}

/// Dashboards know architectures by Go's names.
fn go_arch(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

fn raft(server: &Server) -> Section {
    let metrics = server.raft.metrics();
    Section::from([
        ("applied_index", metrics.applied_index.to_string()),
        ("commit_index", metrics.commit_index.to_string()),
        ("fsm_pending", metrics.commit_index.saturating_sub(metrics.applied_index).to_string()),
        ("last_contact", last_contact(&metrics)),
        ("last_log_index", metrics.last_log_index.to_string()),
        ("last_log_term", metrics.last_log_term.to_string()),
        ("last_snapshot_index", metrics.last_snapshot_index.to_string()),
        ("last_snapshot_term", metrics.last_snapshot_term.to_string()),
        ("latest_configuration", configuration(&metrics.servers)),
        ("latest_configuration_index", metrics.configuration_index.to_string()),
        ("num_peers", metrics.peers(server.raft.me()).to_string()),
        ("protocol_version", "3".to_owned()),
        ("protocol_version_max", "3".to_owned()),
        ("protocol_version_min", "3".to_owned()),
        ("state", state(metrics.role).to_owned()),
        ("term", metrics.term.to_string()),
    ])
}

fn last_contact(metrics: &Metrics) -> String {
    match metrics.last_contact {
        None => "never".to_owned(),
        Some(since) if since.is_zero() => "0".to_owned(),
        Some(since) => GoDuration::from(since).to_string(),
    }
}

fn configuration(servers: &[ServerMetrics]) -> String {
    let entries = servers.iter().map(|server| {
        let suffrage = if server.voter { "Voter" } else { "Nonvoter" };
        format!("{{Suffrage:{suffrage} ID:{} Address:{}}}", server.peer.id, server.peer.address)
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(" "))
}

fn state(role: Role) -> &'static str {
    match role {
        Role::Leader => "Leader",
        Role::Candidate => "Candidate",
        Role::Follower | Role::NonVoter => "Follower",
        Role::Stopped => "Shutdown",
    }
}

#[cfg(test)]
mod tests {
    use consul_raft::{Peer, ServerId};

    use super::*;

    #[test]
    fn the_configuration_is_written_as_operators_know_it() {
        let peer = Peer { id: ServerId::from_u128(1), address: "127.0.0.1:8300".into() };
        let server = ServerMetrics { peer, voter: true, leader: true, matched_index: None };
        assert_eq!(
            configuration(&[server.clone(), ServerMetrics { voter: false, ..server }]),
            "[{Suffrage:Voter ID:00000000-0000-0000-0000-000000000001 Address:127.0.0.1:8300} \
             {Suffrage:Nonvoter ID:00000000-0000-0000-0000-000000000001 Address:127.0.0.1:8300}]"
        );
    }
}
