//! `/v1/operator/autopilot/*`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use consul_acl::{Access, Resource};
use consul_api::types::StringMap;
use consul_api::types::duration::GoDuration;
use consul_api::types::operator::{AutopilotConfig, AutopilotHealth, ServerHealth};
use consul_api::types::time::GoTime;
use consul_raft::Metrics;
use http::{Method, StatusCode};
use serde::Serialize;

use super::number::parse_uint;
use crate::agent::Agent;
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::ReadOptions;
use crate::rpc::operator::{AutopilotGet, AutopilotSet, NodeNames};
use crate::rpc::write::require;
use crate::version;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact(
        "/v1/operator/autopilot/configuration",
        &[Method::GET, Method::PUT],
        handler!(configuration),
    ),
    Route::exact("/v1/operator/autopilot/health", GET, handler!(health)),
    Route::exact("/v1/operator/autopilot/state", GET, handler!(state)),
];

async fn configuration(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::PUT {
        return configure(agent, request).await;
    }
    let options = options::read_options(&request, agent.wait_limits())?.at_once();
    Reply::json(&request, &present(&agent, &options).await?)
}

/// The configuration in force, the built-in one before a leader wrote the first.
async fn present(agent: &Agent, options: &ReadOptions) -> Result<AutopilotConfig, Failure> {
    let (_, config) = agent.read(&AutopilotGet, options).await?;
    Ok(config.map(|config| (*config).clone()).unwrap_or_default())
}

async fn configure(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let config: AutopilotConfig = decode::strict(&body, "Bad request: Error parsing autopilot config: ")?;
    let cas = match request.params.first("cas") {
        None => None,
        Some(text) => Some(parse_uint(text).map_err(|reason| {
            Failure::bad_request(format!("Bad request: Error parsing cas value: {reason}"))
        })?),
    };
    let done = agent.write(AutopilotSet { config, cas }, &options::write_options(&request)).await?;
    Reply::json(&request, &done)
}

/// Unhealthy clusters answer 429, so that load balancers and scripts need not read the body.
async fn health(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let health = assess(&agent, &request).await?;
    let status = if health.healthy { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
    Ok(Reply::json(&request, &health)?.with_status(status))
}

async fn assess(agent: &Agent, request: &Request) -> Result<AutopilotHealth, Failure> {
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Read))?;
    let config = present(agent, &options).await?;
    let metrics = agent.route(&options.datacenter)?.raft.metrics();
    let ids = metrics.servers.iter().map(|server| server.peer.id.to_string()).collect();
    let (_, names) = agent.read(&NodeNames { ids }, &options).await?;
    Ok(health_of(&metrics, &names, &config, stable_since(agent)))
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

/// The newer form of the health: servers by id, with their part in the quorum.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct State<'a> {
    healthy: bool,
    failure_tolerance: i64,
    optimistic_failure_tolerance: i64,
    servers: BTreeMap<&'a str, ServerState<'a>>,
    leader: &'a str,
    voters: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServerState<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    address: &'a str,
    node_status: &'a str,
    version: &'a str,
    last_contact: GoDuration,
    last_term: u64,
    last_index: u64,
    healthy: bool,
    stable_since: GoTime,
    read_replica: bool,
    status: &'static str,
    meta: StringMap,
    node_type: &'static str,
}

async fn state(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let health = assess(&agent, &request).await?;
    let servers = health.servers.as_deref().unwrap_or_default();
    let body = State {
        healthy: health.healthy,
        failure_tolerance: health.failure_tolerance,
        optimistic_failure_tolerance: health.failure_tolerance,
        servers: servers.iter().map(|server| (server.id.as_str(), server_state(server))).collect(),
        leader: servers.iter().find(|server| server.leader).map_or("", |leader| &leader.id),
        voters: servers.iter().filter(|server| server.voter).map(|server| server.id.as_str()).collect(),
    };
    Reply::json(&request, &body)
}

fn server_state(server: &ServerHealth) -> ServerState<'_> {
    let status = match (server.leader, server.voter) {
        (true, _) => "leader",
        (false, true) => "voter",
        (false, false) => "non-voter",
    };
    ServerState {
        id: &server.id,
        name: &server.name,
        address: &server.address,
        node_status: &server.serf_status,
        version: &server.version,
        last_contact: server.last_contact,
        last_term: server.last_term,
        last_index: server.last_index,
        healthy: server.healthy,
        stable_since: server.stable_since,
        read_replica: false,
        status,
        meta: StringMap::new(),
        node_type: if server.voter { "voter" } else { "read-replica" },
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
