//! `/v1/operator/keyring`: the keys of the gossip pools.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consul_acl::{Access, Resource};
use http::Method;
use serde::Deserialize;

use super::number::{parse_bool, parse_int};
use crate::agent::Agent;
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;

const METHODS: &[Method] = &[Method::GET, Method::POST, Method::PUT, Method::DELETE];

pub const ROUTES: &[Route] = &[Route::exact("/v1/operator/keyring", METHODS, handler!(handle))];

/// Members that pass on answers to an operation, at most.
const RELAY_FACTOR_MAX: i64 = 5;

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
    check_relay_factor(&request)?;
    let local_only = local_only(&request, lists)?;
    let options = options::write_options(&request);
    let authorizer = agent.authorize(&options.token)?;
    if lists && !authorizer.allows(Resource::Keyring, Access::Read) {
        return Err(Failure::internal("Reading keyring denied by ACLs"));
    }
    if !lists && !authorizer.allows(Resource::Keyring, Access::Write) {
        return Err(Failure::internal("Modifying keyring denied due to ACLs"));
    }
    agent.route("")?;
    Err(Failure::internal(unencrypted(&agent, key.as_deref(), local_only)))
}

/// Every pool of this agent is unencrypted, so no operation on its keys can succeed; clients know this list form.
fn unencrypted(agent: &Agent, key: Option<&str>, local_only: bool) -> String {
    let (node, datacenter) = (agent.node_name(), agent.identity.datacenter.as_str());
    let pools = [
        ("WAN".to_owned(), format!("{node}.{datacenter}")),
        (format!("{datacenter} (LAN)"), node.to_owned()),
    ];
    let mut lines = Vec::new();
    for (pool, member) in pools.into_iter().skip(usize::from(local_only)) {
        match key.map(|key| STANDARD.decode(key)) {
            Some(Err(_)) => {
                let at = key.map_or(0, bad_base64_at);
                lines.push(format!("{pool} error: illegal base64 data at input byte {at}"));
            }
            decoded => {
                let reason = if decoded.is_some() { "No keyring to modify" } else { "Keyring is empty" };
                lines.push(format!("{pool} error: 1/1 nodes reported failure"));
                lines.push(format!("{member}: {reason} (encryption not enabled)"));
            }
        }
    }
    let list: String = lines.iter().map(|line| format!("\t* {line}\n")).collect();
    let plural = if lines.len() == 1 { "error" } else { "errors" };
    format!("{} {plural} occurred:\n{list}\n", lines.len())
}

/// Where base64 text stops making sense: at the first foreign character, else where its last group begins.
fn bad_base64_at(text: &str) -> usize {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.bytes().position(|byte| !known(byte)).unwrap_or(text.len() / 4 * 4)
}

fn check_relay_factor(request: &Request) -> Result<(), Failure> {
    let Some(text) = request.params.non_empty("relay-factor") else { return Ok(()) };
    let factor = parse_int(text).map_err(|reason| {
        Failure::bad_request(format!("Bad request: Error parsing relay factor: {reason}"))
    })?;
    if !(0..=RELAY_FACTOR_MAX).contains(&factor) {
        return Err(Failure::bad_request(
            "Bad request: Invalid relay-factor: Relay factor must be in range: [0, 5]",
        ));
    }
    Ok(())
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
