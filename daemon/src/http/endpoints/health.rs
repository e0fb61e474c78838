//! `/v1/health/*`.

use std::sync::Arc;

use consul_filter::{Filter, HealthRow, Schema};
use consul_state::catalog::{Instance, Lookup};
use http::Method;

use super::selection;
use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::params;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::http::translate;
use crate::http::view::{ChecksView, InstanceView};
use crate::rpc::catalog::{HealthWanted, ServiceInstances};
use crate::rpc::gateway::ExposingGateways;
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::{ReadMeta, ReadOptions};

const GET: &[Method] = &[Method::GET];
const HEADERS: MetaHeaders = MetaHeaders::IndexAndConsistency;

pub const ROUTES: &[Route] = &[
    Route::prefix("/v1/health/node/", GET, handler!(node)).with_failure_meta(),
    Route::prefix("/v1/health/checks/", GET, handler!(checks)).with_failure_meta(),
    Route::prefix("/v1/health/state/", GET, handler!(state)).with_failure_meta(),
    Route::prefix("/v1/health/service/", GET, handler!(service)).with_failure_meta(),
    Route::prefix("/v1/health/connect/", GET, handler!(connect)).with_failure_meta(),
    Route::prefix("/v1/health/ingress/", GET, handler!(ingress)).with_failure_meta(),
];

async fn node(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let node = selection::required(&request, "Missing node name")?;
    list(agent, request, ChecksOf::Node(node)).await
}

async fn checks(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let service = selection::required(&request, "Missing service name")?;
    list(agent, request, ChecksOf::Service(service)).await
}

async fn state(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let state = selection::required(&request, "Missing check state")?;
    list(agent, request, ChecksOf::State(state)).await
}

async fn list(agent: Arc<Agent>, request: Request, of: ChecksOf) -> Result<Reply, Failure> {
    let filter = selection::filter(&request, Schema::HealthCheck)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let read =
        CheckList { of, node_meta: selection::node_meta(&request), near: selection::near(&agent, &request) };
    let (meta, mut checks) = agent.read(&read, &options).await?;
    if let Some(filter) = filter {
        checks.retain(|check| filter.matches(check));
    }
    Ok(Reply::json(&request, &ChecksView(&checks))?.with_meta(&meta, HEADERS))
}

async fn service(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    instances(agent, request, Lookup::Service).await
}

async fn connect(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    instances(agent, request, Lookup::Connect).await
}

/// The gateways through which a service is reached from outside.
async fn ingress(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let read = ExposingGateways { instances: asked_for(&agent, &request, Lookup::Service)? };
    let filter = selection::filter(&request, Schema::CheckServiceNode)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, rows) = agent.read(&read, &options).await?;
    show(&agent, &request, &options, rows, filter, &meta)
}

async fn instances(agent: Arc<Agent>, request: Request, lookup: Lookup) -> Result<Reply, Failure> {
    let read = asked_for(&agent, &request, lookup)?;
    let filter = selection::filter(&request, Schema::CheckServiceNode)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, rows) = agent.read_cached(read, &options).await?;
    show(&agent, &request, &options, rows, filter, &meta)
}

fn asked_for(agent: &Agent, request: &Request, lookup: Lookup) -> Result<ServiceInstances, Failure> {
    let name = selection::required(request, "Missing service name")?;
    Ok(ServiceInstances {
        lookup,
        health: wanted(request)?,
        tags: selection::tags(request),
        node_meta: selection::node_meta(request),
        near: selection::near(agent, request),
        ..ServiceInstances::named(name)
    })
}

fn show(
    agent: &Agent,
    request: &Request,
    options: &ReadOptions,
    mut rows: Vec<Instance>,
    filter: Option<Filter>,
    meta: &ReadMeta,
) -> Result<Reply, Failure> {
    if let Some(filter) = filter {
        rows.retain(|row| {
            let checks: Vec<_> = row.checks.iter().cloned().collect();
            filter.matches(&HealthRow { node: &row.node, service: &row.service, checks })
        });
    }
    translate::instances(agent, &options.datacenter, &mut rows);
    let views: Vec<_> = rows.iter().map(InstanceView).collect();
    Ok(Reply::json(request, &views)?.with_meta(meta, HEADERS))
}

/// `passing`, bare or with any of Go's spellings of a truth value.
fn wanted(request: &Request) -> Result<HealthWanted, Failure> {
    match request.params.first("passing") {
        None => Ok(HealthWanted::Any),
        Some("") => Ok(HealthWanted::Passing),
        Some(text) => match params::parse_bool(text) {
            Some(true) => Ok(HealthWanted::Passing),
            Some(false) => Ok(HealthWanted::Any),
            None => Err(Failure::bad_request("Invalid value for ?passing")),
        },
    }
}
