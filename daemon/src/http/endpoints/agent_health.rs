//! `/v1/agent/health/service/*`: the health of this host's instances, told by status code as well.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::agent::AgentService;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::{AggregatedStatus, HealthCheck};
use http::{Method, StatusCode};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::local;
use crate::agent::Agent;
use crate::handler;
use crate::http::agent_view::{LongCheck, agent_service};
use crate::http::failure::Failure;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::local::state::LocalState;
use crate::rpc::write::require;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::prefix("/v1/agent/health/service/id/", GET, handler!(by_id)),
    Route::prefix("/v1/agent/health/service/name/", GET, handler!(by_name)),
];

/// One instance with everything that decides its health.
struct InstanceHealth {
    status: AggregatedStatus,
    service: AgentService,
    checks: Vec<HealthCheck>,
}

impl InstanceHealth {
    /// Checks of the node count for each of its instances.
    fn of(state: &LocalState, service: &NodeService, datacenter: &str) -> Self {
        let relevant = |check: &&HealthCheck| check.service_id.is_empty() || check.service_id == service.id;
        let checks: Vec<HealthCheck> =
            state.checks().map(|entry| &entry.check).filter(relevant).cloned().collect();
        Self { status: AggregatedStatus::of(&checks), service: agent_service(service, datacenter), checks }
    }
}

impl Serialize for InstanceHealth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let checks: Vec<_> = self.checks.iter().map(LongCheck).collect();
        let mut row = serializer.serialize_struct("AgentServiceChecksInfo", 3)?;
        row.serialize_field("AggregatedStatus", self.status.as_str())?;
        row.serialize_field("Service", &self.service)?;
        row.serialize_field("Checks", &checks)?;
        row.end()
    }
}

/// What is answered for an id that nobody has.
struct NoInstance;

impl Serialize for NoInstance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("AgentServiceChecksInfo", 3)?;
        row.serialize_field("AggregatedStatus", AggregatedStatus::Critical.as_str())?;
        row.serialize_field("Service", &None::<AgentService>)?;
        row.serialize_field("Checks", &None::<Vec<HealthCheck>>)?;
        row.end()
    }
}

async fn by_id(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = request.rest_text();
    if id.is_empty() {
        return Err(Failure::bad_request("Missing serviceID"));
    }
    let authorizer = agent.authorize(&local::token(&request))?;
    let datacenter = &agent.identity.datacenter;
    let found = agent
        .services
        .book
        .read(|state| state.service(&id).map(|entry| InstanceHealth::of(state, &entry.service, datacenter)));
    match found {
        Some(health) => {
            require(authorizer.allows(Resource::Service(&health.service.service), Access::Read))?;
            answer(&request, status_code(health.status), health.status.as_str(), &health)
        }
        None => answer(&request, StatusCode::NOT_FOUND, &format!("ServiceId {id} not found"), &NoInstance),
    }
}

async fn by_name(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let name = request.rest_text();
    if name.is_empty() {
        return Err(Failure::bad_request("Missing service Name"));
    }
    let authorizer = agent.authorize(&local::token(&request))?;
    require(authorizer.allows(Resource::Service(&name), Access::Read))?;
    let datacenter = &agent.identity.datacenter;
    let found: Vec<InstanceHealth> = agent.services.book.read(|state| {
        let named = state.services().map(|entry| &entry.service).filter(|service| service.service == name);
        named.map(|service| InstanceHealth::of(state, service, datacenter)).collect()
    });
    match found.iter().map(|health| health.status).max() {
        Some(worst) => answer(&request, status_code(worst), worst.as_str(), &found),
        None => answer(&request, StatusCode::NOT_FOUND, &format!("ServiceName {name} Not Found"), &found),
    }
}

/// Load balancers look at nothing else.
fn status_code(status: AggregatedStatus) -> StatusCode {
    match status {
        AggregatedStatus::Passing => StatusCode::OK,
        AggregatedStatus::Warning => StatusCode::TOO_MANY_REQUESTS,
        AggregatedStatus::Critical | AggregatedStatus::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn answer<T: Serialize>(
    request: &Request,
    status: StatusCode,
    reason: &str,
    body: &T,
) -> Result<Reply, Failure> {
    let reply = if wants_text(request) {
        Reply::bytes("text/plain", reason.to_owned().into())
    } else {
        Reply::json(request, body)?
    };
    Ok(reply.with_status(status).with_header("x-consul-reason", reason))
}

fn wants_text(request: &Request) -> bool {
    let accept = request.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
    request.params.first("format") == Some("text")
        || accept.is_some_and(|accept| accept.starts_with("text/plain"))
}
