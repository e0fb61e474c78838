//! `/v1/agent/service*`: the services of this host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consul_acl::{Access, Resource};
use consul_api::types::agent::{AgentService, ServiceDefinition};
use consul_filter::Schema;
use http::{Method, StatusCode};
use rand::Rng as _;
use tokio::time::Instant;

use super::local::{self, Toggle};
use super::selection;
use crate::agent::Agent;
use crate::handler;
use crate::http::agent_view::{agent_service, hashed_service};
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::local::entry::Source;
use crate::local::maintenance::Subject;
use crate::local::state::LocalError;
use crate::rpc::write::require;
use crate::services::{Registration, ServiceError, sync};

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/agent/services", GET, handler!(list)),
    Route::prefix("/v1/agent/service/", GET, handler!(one)),
    Route::exact("/v1/agent/service/register", PUT, handler!(register)),
    Route::prefix("/v1/agent/service/deregister/", PUT, handler!(deregister)),
    Route::prefix("/v1/agent/service/maintenance/", PUT, handler!(maintenance)),
];

/// Waits end over a sixteenth of their length, so that callers do not come back all at once.
const JITTER_FRACTION: u32 = 16;
/// Servers register themselves under this id.
const SERVER_SERVICE: &str = "consul";

async fn list(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let filter = selection::filter(&request, Schema::NodeService)?;
    let authorizer = agent.authorize(&local::token(&request))?;
    let services: BTreeMap<String, AgentService> = agent.services.book.read(|state| {
        state
            .services()
            .map(|entry| &entry.service)
            .filter(|service| authorizer.allows(Resource::Service(&service.service), Access::Read))
            .filter(|service| filter.as_ref().is_none_or(|filter| filter.matches(*service)))
            .map(|service| (service.id.clone(), agent_service(service, &agent.identity.datacenter)))
            .collect()
    });
    Reply::json(&request, &services)
}

/// Blocks while the service's content has the hash that the caller names.
async fn one(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = request.rest_text();
    let authorizer = agent.authorize(&local::token(&request))?;
    let known_hash = request.params.non_empty("hash");
    let wait = options::parse_wait(&request, agent.wait_limits())?;
    let deadline = Instant::now() + with_jitter(wait);
    let mut changes = agent.services.book.subscribe();
    loop {
        changes.borrow_and_update();
        let service = agent.services.book.read(|state| state.service(&id).map(|entry| entry.service.clone()));
        let service = service.ok_or_else(|| Failure::not_found(format!("unknown service ID: {id}")))?;
        require(authorizer.allows(Resource::Service(&service.service), Access::Read))?;
        let view = hashed_service(&service, &agent.identity.datacenter)
            .map_err(|error| Failure::internal(format!("could not hash the service: {error}")))?;
        let unchanged = known_hash == Some(view.content_hash.as_str());
        if !unchanged || tokio::time::timeout_at(deadline, changes.changed()).await.is_err() {
            let reply = Reply::json(&request, &view)?;
            return Ok(reply.with_header("x-consul-contenthash", view.content_hash.as_str()));
        }
    }
}

fn with_jitter(wait: Duration) -> Duration {
    wait + (wait / JITTER_FRACTION).mul_f64(rand::rng().random::<f64>())
}

async fn register(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let definition: ServiceDefinition = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let plan = agent.services.plan_service(definition, Source::Remote).map_err(local::refusal)?;
    let service = plan.service();
    if agent.server.is_some() && service.id == SERVER_SERVICE {
        return Err(Failure::bad_request("the service ID \"consul\" belongs to the servers themselves"));
    }
    let token = local::token(&request);
    let authorizer = agent.authorize(&token)?;
    require(authorizer.allows(Resource::Service(&service.service), Access::Write))?;
    let how = Registration { token, source: Source::Remote, replace_checks: replaces_checks(&request) };
    agent.services.register_service(plan, &how).map_err(local::refusal)?;
    sync::push(&agent).await;
    Ok(Reply::empty())
}

/// Bare or `true`; other values have no effect.
fn replaces_checks(request: &Request) -> bool {
    matches!(request.params.first("replace-existing-checks"), Some("" | "true"))
}

async fn deregister(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = request.rest_text();
    if id.is_empty() {
        return Err(Failure::bad_request("ServiceID missing"));
    }
    require_service_write(&agent, &request, &id)?;
    match agent.services.remove_service(&id) {
        Ok(()) => {
            sync::push(&agent).await;
        }
        // Scripts deregister without looking first.
        Err(ServiceError::Local(LocalError::UnknownService(_))) if !agent.config.load().acl.enabled => {}
        Err(error) => return Err(local::refusal(error)),
    }
    Ok(Reply::empty())
}

async fn maintenance(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = request.rest_text();
    if id.is_empty() {
        return Err(Failure::bad_request("Missing service ID"));
    }
    let toggle = Toggle::of(&request)?;
    require_service_write(&agent, &request, &id)?;
    let unknown = || Failure::new(StatusCode::NOT_FOUND, format!("No service registered with ID {id:?}"));
    let changed = local::set_maintenance(&agent, &request, Subject::Service(&id), toggle);
    changed.map_err(|error| match error {
        ServiceError::Local(LocalError::NoSuchService(_)) => unknown(),
        other => local::refusal(other),
    })?;
    sync::push(&agent).await;
    Ok(Reply::empty())
}

/// May the caller change this service? Ids that are not registered are left to the operation.
fn require_service_write(agent: &Agent, request: &Request, id: &str) -> Result<(), Failure> {
    let authorizer = agent.authorize(&local::token(request))?;
    let name = agent.services.book.read(|state| state.service(id).map(|entry| entry.service.service.clone()));
    match name {
        Some(name) => Ok(require(authorizer.allows(Resource::Service(&name), Access::Write))?),
        None => Ok(()),
    }
}
