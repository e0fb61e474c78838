//! `/v1/kv/`: single entries, prefixes, locks.

use std::sync::Arc;

use consul_api::types::bytes::Blob;
use consul_api::types::kv::{KvPair, KvVerb};
use http::{Method, StatusCode};

use super::number;
use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::kv::{KvGet, KvKeys, KvList, KvWrite};

pub const ROUTES: &[Route] =
    &[Route::prefix("/v1/kv/", &[Method::GET, Method::PUT, Method::DELETE], handler!(handle))];

async fn handle(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    match request.method {
        Method::PUT => put(agent, request).await,
        Method::DELETE => delete(agent, request).await,
        _ => get(agent, request).await,
    }
}

async fn get(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let params = &request.params;
    let options = options::read_options(&request, agent.wait_limits())?;
    if params.has("keys") {
        let separator = params.first("separator").or(params.first("seperator")).unwrap_or_default();
        let read = KvKeys { prefix: request.rest.clone(), separator: separator.as_bytes().into() };
        let (meta, keys) = agent.read(&read, &options).await?;
        return Ok(match keys {
            Some(keys) => Reply::json(&request, &keys)?,
            None => Reply::status(StatusCode::NOT_FOUND),
        }
        .with_meta(&meta, MetaHeaders::Index));
    }
    if params.has("recurse") {
        let read = KvList { prefix: request.rest.clone() };
        let (meta, entries) = agent.read(&read, &options).await?;
        return Ok(if entries.is_empty() {
            Reply::status(StatusCode::NOT_FOUND)
        } else {
            Reply::json(&request, &entries)?
        }
        .with_meta(&meta, MetaHeaders::Index));
    }
    if request.rest.is_empty() {
        return Err(Failure::bad_request("Missing key name"));
    }
    let (meta, entry) = agent.read(&KvGet { key: request.rest.clone() }, &options).await?;
    let reply = match entry {
        None => Reply::status(StatusCode::NOT_FOUND),
        Some(entry) if params.has("raw") => raw(&entry),
        Some(entry) => Reply::json(&request, &[entry])?,
    };
    Ok(reply.with_meta(&meta, MetaHeaders::Index))
}

/// The bare value. The two headers keep browsers from running what somebody stored.
fn raw(entry: &KvPair) -> Reply {
    Reply::bytes("text/plain", entry.value.as_slice().to_vec().into())
        .with_header("content-security-policy", "sandbox")
        .with_header("x-content-type-options", "nosniff")
}

async fn put(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    if request.rest.is_empty() {
        return Err(Failure::bad_request("Missing key name"));
    }
    refuse_conflicts(&request, &["cas", "acquire", "release"])?;
    let params = &request.params;
    let flags = match params.first("flags") {
        None => 0,
        Some(text) => parse_uint(text)?,
    };
    let (verb, index, session) = if let Some(text) = params.first("cas") {
        (KvVerb::Cas, parse_uint(text)?, String::new())
    } else if let Some(session) = params.first("acquire") {
        (KvVerb::Lock, 0, session.to_owned())
    } else if let Some(session) = params.first("release") {
        (KvVerb::Unlock, 0, session.to_owned())
    } else {
        (KvVerb::Set, 0, String::new())
    };
    let value_max = agent.limits().kv_max_value_size;
    let value = request.read_body(value_max, |length| value_too_large(length, value_max)).await?;
    let entry = KvPair {
        key: request.rest.to_vec().into(),
        value: Blob::from(value.as_ref()),
        flags,
        session,
        modify_index: index,
        ..KvPair::default()
    };
    write(agent, &request, verb, entry).await
}

fn value_too_large(length: u64, max: usize) -> Failure {
    Failure::too_large(format!(
        "Request body({length} bytes) too large, max size: {max} bytes. \
         See https://www.consul.io/docs/agent/options.html#kv_max_value_size."
    ))
}

async fn delete(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    refuse_conflicts(&request, &["recurse", "cas"])?;
    let params = &request.params;
    let recurse = params.has("recurse");
    if request.rest.is_empty() && !recurse {
        return Err(Failure::bad_request("Missing key name"));
    }
    let (verb, index) = match params.first("cas") {
        _ if recurse => (KvVerb::DeleteTree, 0),
        Some(text) => (KvVerb::DeleteCas, parse_uint(text)?),
        None => (KvVerb::Delete, 0),
    };
    let entry = KvPair { key: request.rest.to_vec().into(), modify_index: index, ..KvPair::default() };
    write(agent, &request, verb, entry).await
}

async fn write(agent: Arc<Agent>, request: &Request, verb: KvVerb, entry: KvPair) -> Result<Reply, Failure> {
    let done = agent.write(KvWrite { verb, entry }, &options::write_options(request)).await?;
    Reply::json(request, &done)
}

fn refuse_conflicts(request: &Request, names: &[&str]) -> Result<(), Failure> {
    if names.iter().filter(|name| request.params.has(name)).count() > 1 {
        return Err(Failure::bad_request(format!("Conflicting flags: {}\n", request.params.canonical())));
    }
    Ok(())
}

/// An unsigned number of a parameter.
fn parse_uint(text: &str) -> Result<u64, Failure> {
    number::parse_uint(text).map_err(Failure::internal)
}
