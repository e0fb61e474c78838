//! Query parameters by which catalog and health lists are narrowed and ordered.

use consul_api::types::StringMap;
use consul_filter::{Filter, Schema};

use crate::agent::Agent;
use crate::http::failure::Failure;
use crate::http::request::Request;

/// `node-meta=k:v`, repeatable. One without a colon asks for an empty key, which nothing has.
pub fn node_meta(request: &Request) -> StringMap {
    request
        .params
        .all("node-meta")
        .map(|pair| pair.split_once(':').unwrap_or(("", pair)))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// `near=`: a node's name, or this agent's own for `_agent`.
pub fn near(agent: &Agent, request: &Request) -> String {
    match request.params.first("near") {
        Some("_agent") => agent.node_name().to_owned(),
        Some(node) => node.to_owned(),
        None => String::new(),
    }
}

pub fn tags(request: &Request) -> Vec<String> {
    request.params.all("tag").map(str::to_owned).collect()
}

/// The compiled `filter=`, if there is one.
pub fn filter(request: &Request, schema: Schema) -> Result<Option<Filter>, Failure> {
    let text = request.params.first("filter").unwrap_or_default();
    consul_filter::filter(text, schema).map_err(|error| Failure::internal(error.with_prefix()))
}

/// What follows the route's prefix, or a refusal that says what is missing.
pub fn required(request: &Request, missing: &str) -> Result<String, Failure> {
    if request.rest.is_empty() { Err(Failure::bad_request(missing)) } else { Ok(request.rest_text()) }
}
