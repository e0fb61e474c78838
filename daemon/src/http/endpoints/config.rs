//! `/v1/config`: centralised configuration entries.

use std::sync::Arc;

use consul_state::config_entry::ConfigEntryCommand;
use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::number::parse_uint;
use crate::agent::Agent;
use crate::config_entries::{self, EntryError, Kind};
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::config_entry::{ConfigEntryGet, ConfigEntryList, ConfigEntryWrite};

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/config", &[Method::PUT], handler!(apply)),
    Route::prefix("/v1/config/", &[Method::GET, Method::DELETE], handler!(below)),
];

const DECODE_FAILED: &str = "Bad request: Request decoding failed: ";

async fn apply(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let document: Map<String, Value> = decode::lenient(&body, DECODE_FAILED)?;
    let entry = config_entries::decode(&document)
        .map_err(|error| Failure::bad_request(format!("{DECODE_FAILED}{error}")))?;
    let cas = cas(&request)?;
    config_entries::validate(&entry).map_err(|error| Failure::internal(error.to_string()))?;
    let command = ConfigEntryCommand::Set { entry: Box::new(entry), cas };
    let done = agent.write(ConfigEntryWrite(command), &options::write_options(&request)).await?;
    Reply::json(&request, &done)
}

fn cas(request: &Request) -> Result<Option<u64>, Failure> {
    request.params.first("cas").map(parse_uint).transpose().map_err(Failure::internal)
}

async fn below(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::DELETE {
        return delete(agent, request).await;
    }
    let options = options::read_options(&request, agent.wait_limits())?;
    let path = request.rest_text();
    let (kind, name) = path.split_once('/').unwrap_or((&path, ""));
    let kind = match kind {
        "" => None,
        kind => Some(parse_kind(kind).map_err(|error| Failure::internal(error.to_string()))?),
    };
    let Some(kind) = kind.filter(|_| !name.is_empty()) else {
        let (meta, entries) = agent.read(&ConfigEntryList { kind }, &options).await?;
        return Ok(Reply::json(&request, &entries)?.with_meta(&meta, MetaHeaders::Index));
    };
    let read = ConfigEntryGet { kind, name: name.to_owned() };
    let (meta, entry) = agent.read(&read, &options).await?;
    let reply = match entry {
        Some(entry) => Reply::json(&request, &entry)?,
        None => {
            let text = format!("Config entry not found for {:?} / {name:?}", kind.as_str());
            Reply::text(StatusCode::NOT_FOUND, text)
        }
    };
    Ok(reply.with_meta(&meta, MetaHeaders::Index))
}

fn parse_kind(text: &str) -> Result<Kind, EntryError> {
    Kind::parse(text).ok_or_else(|| EntryError::UnknownKind(text.to_owned()))
}

async fn delete(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let path = request.rest_text();
    let Some((kind, name)) = path.split_once('/').filter(|(kind, name)| !kind.is_empty() && !name.is_empty())
    else {
        return Err(Failure::not_found("Must provide both a kind and name to delete"));
    };
    let kind = parse_kind(kind).map_err(|error| Failure::bad_request(error.to_string()))?;
    let cas = cas(&request)?;
    let command = ConfigEntryCommand::Delete { kind: kind.as_str().to_owned(), name: name.to_owned(), cas };
    let done = agent.write(ConfigEntryWrite(command), &options::write_options(&request)).await?;
    // Without a condition the answer has been an empty object from the beginning.
    if cas.is_some() { Reply::json(&request, &done) } else { Reply::json(&request, &Map::new()) }
}
