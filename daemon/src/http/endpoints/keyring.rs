//! `/v1/operator/keyring`: the keys of the gossip pools.

use std::sync::Arc;

use consul_api::types::operator::KeyringResponse;
use consul_rpc::messages::internal::KeyringResponse as Answered;
use http::Method;
use serde::Deserialize;

use super::number::{parse_bool, parse_int};
use crate::agent::Agent;
use crate::cluster::KeyringChange;
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::operation::keyring::KeyringEverywhere;

const METHODS: &[Method] = &[Method::GET, Method::POST, Method::PUT, Method::DELETE];

pub const ROUTES: &[Route] = &[Route::exact("/v1/operator/keyring", METHODS, handler!(handle))];

/// Members that pass on answers to an operation, at most.
const RELAY_FACTOR_MAX: u8 = 5;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct KeyBody {
    key: String,
}

async fn handle(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let lists = request.method == Method::GET;
    let key = if lists {
        None
    } else {
        let body = request.read_json_body().await?;
        Some(decode::strict::<KeyBody>(&body, "Bad request: Request decode failed: ")?.key)
    };
    let relay_factor = relay_factor(&request)?;
    let local_only = local_only(&request, lists)?;
    let change = match (key, &request.method) {
        (Some(key), &Method::POST) => KeyringChange::Install(key),
        (Some(key), &Method::PUT) => KeyringChange::Use(key),
        (Some(key), _) => KeyringChange::Remove(key),
        (None, _) => KeyringChange::List,
    };
    let options = options::write_options(&request);
    let operation = KeyringEverywhere { change, relay_factor, local_only };
    let (_, responses) = agent.operate(&operation, &(&options).into()).await?;
    if let Some(errors) = errors_of(&responses) {
        return Err(Failure::internal(errors));
    }
    if !lists {
        return Ok(Reply::empty());
    }
    let shown: Vec<KeyringResponse> = responses.into_iter().map(shown).collect();
    Reply::json(&request, &shown)
}

fn shown(response: Answered) -> KeyringResponse {
    KeyringResponse {
        wan: response.wan,
        datacenter: response.datacenter,
        segment: response.segment,
        messages: response.messages,
        keys: response.keys.unwrap_or_default(),
        primary_keys: response.primary_keys.unwrap_or_default(),
        num_nodes: response.num_nodes,
    }
}

/// What went wrong in which pool, in the list form that clients know.
fn errors_of(responses: &[Answered]) -> Option<String> {
    let mut lines = Vec::new();
    for response in responses.iter().filter(|response| !response.error.is_empty()) {
        let mut pool = if response.wan { "WAN".to_owned() } else { format!("{} (LAN)", response.datacenter) };
        if !response.segment.is_empty() {
            pool.push_str(&format!(" [segment: {}]", response.segment));
        }
        lines.push(format!("{pool} error: {}", response.error));
        lines.extend(response.messages.iter().flatten().map(|(node, reason)| format!("{node}: {reason}")));
    }
    if lines.is_empty() {
        return None;
    }
    let list: String = lines.iter().map(|line| format!("\t* {line}\n")).collect();
    let plural = if lines.len() == 1 { "error" } else { "errors" };
    Some(format!("{} {plural} occurred:\n{list}\n", lines.len()))
}

fn relay_factor(request: &Request) -> Result<u8, Failure> {
    let Some(text) = request.params.non_empty("relay-factor") else { return Ok(0) };
    let factor = parse_int(text).map_err(|reason| {
        Failure::bad_request(format!("Bad request: Error parsing relay factor: {reason}"))
    })?;
    u8::try_from(factor).ok().filter(|factor| *factor <= RELAY_FACTOR_MAX).ok_or_else(|| {
        Failure::bad_request("Bad request: Invalid relay-factor: Relay factor must be in range: [0, 5]")
    })
}

fn local_only(request: &Request, lists: bool) -> Result<bool, Failure> {
    let Some(text) = request.params.non_empty("local-only") else { return Ok(false) };
    let local_only = parse_bool(text)
        .map_err(|reason| Failure::bad_request(format!("Bad request: Error parsing local-only: {reason}")))?;
    if local_only && !lists {
        return Err(Failure::bad_request(
            "Bad request: Invalid use of local-only: local-only can only be set for list requests",
        ));
    }
    Ok(local_only)
}
