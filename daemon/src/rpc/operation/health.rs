//! What the leader knows of its servers' health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use consul_acl::{Access, Resource};
use consul_api::types::duration::GoDuration;
use consul_api::types::operator::{AutopilotConfig, AutopilotHealth, ServerHealth};
use consul_api::types::time::GoTime;
use consul_raft::Metrics;
use consul_rpc::messages::operator::{OperatorHealth, ServerHealth as Sent};

use super::here;
use crate::agent::Agent;
use crate::rpc::operator::{AutopilotGet, NodeNames};
use crate::rpc::path::Need;
use crate::rpc::remote::{Operation, whole, whole_datacenter};
use crate::rpc::write::require;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;
use crate::version;

/// Health of all servers.
pub struct ServersHealth;

impl Operation for ServersHealth {
    type Reply = AutopilotHealth;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, AutopilotHealth), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        require(authorizer.allows(Resource::Operator, Access::Read))?;
        let (_, config) = server.read(&AutopilotGet, options, &authorizer).await?;
        let config = config.map(|config| (*config).clone()).unwrap_or_default();
        let metrics = server.raft.metrics();
        let ids = metrics.servers.iter().map(|server| server.peer.id.to_string()).collect();
        let (_, names) = server.read(&NodeNames { ids }, options, &authorizer).await?;
        Ok((here(), health_of(&metrics, &names, &config, stable_since(agent))))
    }

    fn method(&self) -> &'static str {
        "Operator.ServerHealth"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        whole_datacenter(options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, AutopilotHealth), RpcError> {
        let OperatorHealth { healthy, failure_tolerance, servers } = whole(body)?;
        let servers = servers.map(|servers| servers.into_iter().map(received).collect());
        Ok((here(), AutopilotHealth { healthy, failure_tolerance, servers }))
    }
}

/// Member states, numbered on the way.
const STATES: [&str; 5] = ["none", "alive", "leaving", "left", "failed"];

/// As it travels.
pub fn sent(health: AutopilotHealth) -> OperatorHealth {
    let AutopilotHealth { healthy, failure_tolerance, servers } = health;
    let number = |name: &str| STATES.iter().position(|state| *state == name).unwrap_or(0);
    let servers = servers.map(|servers| {
        let sent = |server: ServerHealth| Sent {
            serf_status: i64::try_from(number(&server.serf_status)).unwrap_or(0),
            id: server.id,
            name: server.name,
            address: server.address,
            version: server.version,
            leader: server.leader,
            last_contact: server.last_contact,
            last_term: server.last_term,
            last_index: server.last_index,
            healthy: server.healthy,
            voter: server.voter,
            stable_since: server.stable_since,
        };
        servers.into_iter().map(sent).collect()
    });
    OperatorHealth { healthy, failure_tolerance, servers }
}

fn received(server: Sent) -> ServerHealth {
    let state = usize::try_from(server.serf_status).ok().and_then(|number| STATES.get(number));
    ServerHealth {
        serf_status: (*state.unwrap_or(&"none")).to_owned(),
        id: server.id,
        name: server.name,
        address: server.address,
        version: server.version,
        leader: server.leader,
        last_contact: server.last_contact,
        last_term: server.last_term,
        last_index: server.last_index,
        healthy: server.healthy,
        voter: server.voter,
        stable_since: server.stable_since,
    }
}

/// When this agent came up; its view of the others cannot be older.
fn stable_since(agent: &Agent) -> GoTime {
    let started = SystemTime::now().checked_sub(agent.started.elapsed());
    let since_epoch = started.and_then(|started| started.duration_since(SystemTime::UNIX_EPOCH).ok());
    GoTime::from_unix(since_epoch.map_or(0, |span| i64::try_from(span.as_secs()).unwrap_or(0)), 0)
}

/// What the leader knows of its servers: how far each has come with the log.
fn health_of(
    metrics: &Metrics,
    names: &BTreeMap<String, String>,
    config: &AutopilotConfig,
    since: GoTime,
) -> AutopilotHealth {
    let newest = metrics.last_log_index;
    let servers: Vec<ServerHealth> = metrics
        .servers
        .iter()
        .map(|server| {
            let id = server.peer.id.to_string();
            let last_index = if server.leader { Some(newest) } else { server.matched_index };
            let healthy =
                last_index.is_some_and(|index| newest.saturating_sub(index) <= config.max_trailing_logs);
            ServerHealth {
                name: names.get(&id).cloned().unwrap_or_default(),
                id,
                address: server.peer.address.clone(),
                serf_status: if last_index.is_some() { "alive" } else { "failed" }.to_owned(),
                version: version::API_LEVEL.to_owned(),
                leader: server.leader,
                last_contact: if last_index.is_some() { GoDuration::ZERO } else { GoDuration(-1) },
                last_term: if last_index.is_some() { metrics.last_log_term } else { 0 },
                last_index: last_index.unwrap_or(0),
                healthy,
                voter: server.voter,
                stable_since: if healthy { since } else { GoTime::default() },
            }
        })
        .collect();
    let healthy_voters = servers.iter().filter(|server| server.voter && server.healthy).count();
    let voters = servers.iter().filter(|server| server.voter).count();
    let quorum = voters / 2 + 1;
    AutopilotHealth {
        healthy: !servers.is_empty() && servers.iter().all(|server| server.healthy),
        failure_tolerance: i64::try_from(healthy_voters.saturating_sub(quorum)).unwrap_or(0),
        servers: Some(servers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_raft::{Peer, Role, ServerId, ServerMetrics};

    fn server(id: u128, leader: bool, matched_index: Option<u64>) -> ServerMetrics {
        let peer = Peer { id: ServerId::from_u128(id), address: format!("127.0.0.{id}:8300") };
        ServerMetrics { peer, voter: true, leader, matched_index }
    }

    fn metrics(servers: Vec<ServerMetrics>) -> Metrics {
        Metrics {
            role: Role::Leader,
            term: 2,
            leader: None,
            last_log_index: 1000,
            last_log_term: 2,
            commit_index: 1000,
            applied_index: 1000,
            last_snapshot_index: 0,
            last_snapshot_term: 0,
            last_contact: None,
            configuration_index: 1,
            servers,
        }
    }

    fn health(servers: Vec<ServerMetrics>) -> AutopilotHealth {
        health_of(&metrics(servers), &BTreeMap::new(), &AutopilotConfig::default(), GoTime::from_unix(1, 0))
    }

    #[test]
    fn one_server_is_healthy_and_tolerates_no_failure() {
        let health = health(vec![server(1, true, None)]);
        assert_eq!((health.healthy, health.failure_tolerance), (true, 0));
    }

    #[test]
    fn a_server_that_lags_or_is_silent_is_unhealthy() {
        let health = health(vec![server(1, true, None), server(2, false, Some(749)), server(3, false, None)]);
        let servers = health.servers.unwrap();
        assert_eq!(servers.iter().map(|server| server.healthy).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(servers[2].last_contact.to_string(), "-1ns");
        assert_eq!((health.healthy, health.failure_tolerance), (false, 0));
    }

    #[test]
    fn three_healthy_servers_tolerate_one_failure() {
        let health =
            health(vec![server(1, true, None), server(2, false, Some(750)), server(3, false, Some(1000))]);
        assert_eq!((health.healthy, health.failure_tolerance), (true, 1));
    }
}
