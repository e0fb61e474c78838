//! `/v1/event/*`.

use std::sync::Arc;
use std::time::Duration;

use consul_acl::{Access, Resource};
use consul_api::types::bytes::Blob;
use consul_api::types::event::UserEvent;
use http::Method;
use http::header::HeaderValue;
use regex::Regex;
use tokio::time::Instant;

use crate::agent::Agent;
use crate::cluster::event::encode;
use crate::events;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options::{self, WaitLimits};
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::Token;
use crate::rpc::operation::event::FireEvent;

pub const ROUTES: &[Route] = &[
    Route::prefix("/v1/event/fire/", &[Method::PUT], handler!(fire)),
    Route::exact("/v1/event/list", &[Method::GET], handler!(list)),
];

/// How long a list waits by default and at most.
const WAIT: Duration = Duration::from_secs(600);
/// Events travel in single packets, so name and payload must fit one.
const SIZE_MAX: usize = 512;
/// What the rest of an event takes in its packet: ids, filters, versions and their names.
const ENVELOPE: usize = 102;
const BODY_MAX: usize = 64 * 1024;

async fn fire(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let name = request.rest_text();
    if name.is_empty() {
        return Err(Failure::bad_request("Missing name"));
    }
    let options = options::write_options(&request);
    let filter = |key| request.params.first(key).unwrap_or_default().to_owned();
    let mut event = UserEvent {
        id: uuid::Uuid::new_v4().to_string(),
        node_filter: filter("node"),
        service_filter: filter("service"),
        tag_filter: filter("tag"),
        version: 1,
        name,
        ..UserEvent::default()
    };
    check_filters(&event)?;
    let payload = request.read_body(BODY_MAX, |_| too_large_before_encoding()).await?;
    event.payload = Blob::from(payload.as_ref());
    check_size(&event)?;
    let (_, payload) = encode(&event).map_err(|error| Failure::internal(error.to_string()))?;
    let fire = FireEvent { name: event.name.clone(), payload: payload.into() };
    agent.operate(&fire, &(&options).into()).await?;
    Reply::json(&request, &event)
}

fn check_filters(event: &UserEvent) -> Result<(), Failure> {
    if !event.tag_filter.is_empty() && event.service_filter.is_empty() {
        return Err(Failure::internal("Cannot provide tag filter without service filter"));
    }
    for (name, pattern) in
        [("node", &event.node_filter), ("service", &event.service_filter), ("tag", &event.tag_filter)]
    {
        if let Err(error) = Regex::new(pattern) {
            return Err(Failure::internal(format!(
                "Invalid {name} filter: {}",
                parse_reason(&error, pattern)
            )));
        }
    }
    Ok(())
}

/// One line of what is wrong with a pattern.
fn parse_reason(error: &regex::Error, pattern: &str) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    format!("error parsing regexp: {reason}: `{pattern}`")
}

fn check_size(event: &UserEvent) -> Result<(), Failure> {
    let plain = event.name.len() + event.payload.len();
    if plain > SIZE_MAX {
        return Err(too_large_before_encoding());
    }
    let filters = event.node_filter.len() + event.service_filter.len() + event.tag_filter.len();
    if plain + filters + ENVELOPE > SIZE_MAX {
        return Err(broadcast_error(&format!(
            "encoded user event exceeds configured limit of {SIZE_MAX} bytes after encoding"
        )));
    }
    Ok(())
}

fn too_large_before_encoding() -> Failure {
    broadcast_error(&format!("user event exceeds configured limit of {SIZE_MAX} bytes before encoding"))
}

fn broadcast_error(reason: &str) -> Failure {
    Failure::internal(format!(
        "1 error occurred:\n\t* error broadcasting event to segment \"\": {reason}\n\n"
    ))
}

/// The events this agent has kept; blocks while the list's index equals the caller's.
async fn list(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, WaitLimits { default: WAIT, max: WAIT })?;
    let name = request.params.non_empty("name");
    let deadline = Instant::now() + options.max_wait;
    let mut seen = agent.events.subscribe();
    loop {
        let events = visible(&agent, &options.token, name)?;
        let index = events::index_of(&events);
        let wait = options.min_index != 0 && index == options.min_index;
        if !wait || tokio::time::timeout_at(deadline, seen.changed()).await.is_err() {
            let mut reply = Reply::json(&request, &events)?;
            reply.headers.push((http::HeaderName::from_static("x-consul-index"), HeaderValue::from(index)));
            return Ok(reply);
        }
    }
}

fn visible(agent: &Agent, token: &Token, name: Option<&str>) -> Result<Vec<UserEvent>, Failure> {
    let authorizer = agent.authorize(token)?;
    let mut events = agent.events.list(name);
    events.retain(|event| authorizer.allows(Resource::Event(&event.name), Access::Read));
    Ok(events)
}
