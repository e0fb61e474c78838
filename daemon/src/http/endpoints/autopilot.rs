//! `/v1/operator/autopilot/*`.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::duration::GoDuration;
use consul_api::types::operator::{AutopilotConfig, AutopilotHealth, ServerHealth};
use consul_api::types::time::GoTime;
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
use crate::rpc::operation::health::{ServersHealth, part};
use crate::rpc::operator::{AutopilotGet, AutopilotSet};

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

async fn assess(agent: &Arc<Agent>, request: &Request) -> Result<AutopilotHealth, Failure> {
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    let (_, health) = agent.operate(&ServersHealth, &options).await?;
    Ok(health)
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
        status: part(server),
        meta: StringMap::new(),
        node_type: "voter",
    }
}
