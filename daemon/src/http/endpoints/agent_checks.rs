//! `/v1/agent/check*`: the checks of this host.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::agent::CheckDefinition;
use consul_api::types::health::{HealthCheck, Status};
use consul_filter::Schema;
use http::Method;
use serde::Deserialize;

use super::local;
use crate::agent::Agent;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::http::view::CheckView;
use crate::local::entry::Source;
use crate::local::state::LocalError;
use crate::rpc::write::require;
use crate::services::{Registration, ServiceError, sync};

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/agent/checks", GET, handler!(list)),
    Route::exact("/v1/agent/check/register", PUT, handler!(register)),
    Route::prefix("/v1/agent/check/deregister/", PUT, handler!(deregister)),
    Route::prefix("/v1/agent/check/pass/", PUT, handler!(pass)),
    Route::prefix("/v1/agent/check/warn/", PUT, handler!(warn)),
    Route::prefix("/v1/agent/check/fail/", PUT, handler!(fail)),
    Route::prefix("/v1/agent/check/update/", PUT, handler!(update)),
];

async fn list(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let text = request.params.first("filter").unwrap_or_default();
    // This list alone reports a bad expression without the usual words before it.
    let filter = consul_filter::filter(text, Schema::HealthCheck)
        .map_err(|error| Failure::internal(error.to_string()))?;
    let authorizer = agent.authorize(&local::token(&request))?;
    let checks: BTreeMap<String, HealthCheck> = agent.services.book.read(|state| {
        state
            .checks()
            .map(|entry| &entry.check)
            .filter(|check| may(&authorizer, check, Access::Read))
            .filter(|check| filter.as_ref().is_none_or(|filter| filter.matches(*check)))
            .map(|check| (check.check_id.clone(), check.clone()))
            .collect()
    });
    let views: BTreeMap<&str, CheckView<'_>> =
        checks.iter().map(|(id, check)| (id.as_str(), CheckView(check))).collect();
    Reply::json(&request, &views)
}

/// Checks of a service fall under its rules, others under the node's.
fn may(authorizer: &Authorizer, check: &HealthCheck, access: Access) -> bool {
    if check.service_name.is_empty() {
        authorizer.allows(Resource::Node(&check.node), access)
    } else {
        authorizer.allows(Resource::Service(&check.service_name), access)
    }
}

async fn register(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let definition: CheckDefinition = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let token = local::token(&request);
    let authorizer = agent.authorize(&token)?;
    let service = agent
        .services
        .book
        .read(|state| state.service(&definition.service_id).map(|entry| entry.service.service.clone()));
    let resource = match &service {
        Some(name) => Resource::Service(name),
        None => Resource::Node(agent.node_name()),
    };
    require(authorizer.allows(resource, Access::Write))?;
    let how = Registration { token, source: Source::Remote, replace_checks: false };
    agent.services.register_check(definition, &how).map_err(local::refusal)?;
    sync::push(&agent).await;
    Ok(Reply::empty())
}

async fn deregister(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let id = check_id(&request)?;
    require_check_write(&agent, &request, &id)?;
    match agent.services.remove_check(&id) {
        Ok(()) => {
            sync::push(&agent).await;
        }
        // Scripts deregister without looking first.
        Err(ServiceError::Local(LocalError::UnknownCheck(_))) if !agent.config.load().acl.enabled => {}
        Err(error) => return Err(local::refusal(error)),
    }
    Ok(Reply::empty())
}

async fn pass(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    note(agent, request, Status::Passing).await
}

async fn warn(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    note(agent, request, Status::Warning).await
}

async fn fail(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    note(agent, request, Status::Critical).await
}

async fn note(agent: Arc<Agent>, request: Request, status: Status) -> Result<Reply, Failure> {
    let note = request.params.first("note").unwrap_or_default().to_owned();
    report(agent, request, status, &note).await
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Update {
    status: String,
    output: String,
}

async fn update(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let update: Update = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let status = update
        .status
        .parse()
        .map_err(|()| Failure::bad_request(format!("Invalid check status: '{}'", update.status)))?;
    report(agent, request, status, &update.output).await
}

async fn report(agent: Arc<Agent>, request: Request, status: Status, output: &str) -> Result<Reply, Failure> {
    let id = check_id(&request)?;
    require_check_write(&agent, &request, &id)?;
    agent.services.update_ttl(&id, status, output).map_err(local::refusal)?;
    sync::push(&agent).await;
    Ok(Reply::empty())
}

fn check_id(request: &Request) -> Result<String, Failure> {
    if request.rest.is_empty() {
        Err(Failure::bad_request("CheckID missing"))
    } else {
        Ok(request.rest_text())
    }
}

/// May the caller change this check? Ids that are not registered are left to the operation.
fn require_check_write(agent: &Agent, request: &Request, id: &str) -> Result<(), Failure> {
    let authorizer = agent.authorize(&local::token(request))?;
    let allowed = agent
        .services
        .book
        .read(|state| state.check(id).is_none_or(|entry| may(&authorizer, &entry.check, Access::Write)));
    Ok(require(allowed)?)
}
