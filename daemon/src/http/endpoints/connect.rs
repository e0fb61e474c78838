//! `/v1/connect/*` and `/v1/discovery-chain/`: intentions, and a certificate authority that does not exist.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::intention::Intention;
use consul_state::intention::Side;
use http::{Method, StatusCode};

use super::authorize::first_for;
use crate::agent::Agent;
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::intention::{IntentionList, IntentionWrite};

const GET: &[Method] = &[Method::GET];
const OBJECT: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/connect/ca/roots", GET, handler!(disabled)).with_failure_meta(),
    Route::exact("/v1/connect/ca/configuration", &[Method::GET, Method::PUT], handler!(disabled)),
    Route::exact("/v1/agent/connect/ca/roots", GET, handler!(disabled)),
    Route::prefix("/v1/agent/connect/ca/leaf/", GET, handler!(disabled)),
    Route::exact("/v1/connect/intentions", &[Method::GET, Method::POST], handler!(collection)),
    Route::exact("/v1/connect/intentions/match", GET, handler!(matching)),
    Route::exact("/v1/connect/intentions/check", GET, handler!(check)),
    Route::exact("/v1/connect/intentions/exact", OBJECT, handler!(exact)),
    Route::prefix("/v1/connect/intentions/", OBJECT, handler!(specific)),
    Route::prefix("/v1/discovery-chain/", &[Method::GET, Method::POST], handler!(chain)).with_failure_meta(),
];

const DECODE_FAILED: &str = "Failed to decode request body: ";
/// What servers without a certificate authority answer.
const DISABLED: &str = "Connect must be enabled in order to use this endpoint";

async fn disabled(_: Arc<Agent>, _: Request) -> Result<Reply, Failure> {
    Err(Failure::internal(DISABLED))
}

async fn chain(_: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.rest.is_empty() {
        return Err(Failure::bad_request("Bad request: Missing chain name"));
    }
    Err(Failure::internal(DISABLED))
}

async fn collection(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::POST {
        return create(agent, request).await;
    }
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, intentions) = agent.read(&IntentionList::All, &options).await?;
    Ok(Reply::json(&request, &intentions)?.with_meta(&meta, MetaHeaders::Index))
}

async fn create(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let intention = decode_intention(&mut request).await?;
    let id = agent.write(IntentionWrite::Create(intention), &options::write_options(&request)).await?;
    Reply::json(&request, &serde_json::json!({ "ID": id }))
}

/// Bad bodies have always been answered as failures of the server here.
async fn decode_intention(request: &mut Request) -> Result<Intention, Failure> {
    let body = request.read_json_body().await?;
    decode::strict(&body, DECODE_FAILED).map_err(|failure| Failure::internal(failure.text))
}

async fn specific(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let id = request.rest_text();
    match request.method {
        Method::PUT => {
            let intention = Intention { id, ..decode_intention(&mut request).await? };
            let options = options::write_options(&request);
            let id = agent.write(IntentionWrite::Update(intention), &options).await?;
            Reply::json(&request, &serde_json::json!({ "ID": id }))
        }
        Method::DELETE => {
            agent.write(IntentionWrite::Delete { id }, &options::write_options(&request)).await?;
            Reply::json(&request, &true)
        }
        _ => show(&agent, &request, IntentionList::Id(id)).await,
    }
}

async fn show(agent: &Agent, request: &Request, read: IntentionList) -> Result<Reply, Failure> {
    let options = options::read_options(request, agent.wait_limits())?;
    let (meta, intentions) = agent.read(&read, &options).await.map_err(|error| {
        let failure = Failure::from(error);
        let bad_id = failure.text.contains("UUID must be");
        if bad_id { Failure::bad_request(format!("Bad request: {}", failure.text)) } else { failure }
    })?;
    match intentions.first() {
        Some(intention) => Ok(Reply::json(request, intention)?.with_meta(&meta, MetaHeaders::Index)),
        None => Err(Failure::new(StatusCode::NOT_FOUND, "Intention not found")),
    }
}

async fn exact(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let source = required(&request, "source")?;
    let destination = required(&request, "destination")?;
    let options = options::write_options(&request);
    match request.method {
        Method::PUT => {
            let given = decode_intention(&mut request).await?;
            let intention = Intention { source_name: source, destination_name: destination, ..given };
            agent.write(IntentionWrite::Upsert(intention), &options).await?;
            Reply::json(&request, &true)
        }
        Method::DELETE => {
            let read = options::consistency_options(&request)?;
            let (_, found) = agent.read(&IntentionList::Exact { source, destination }, &read).await?;
            if let Some(known) = found.first() {
                agent.write(IntentionWrite::Delete { id: known.id.clone() }, &options).await?;
            }
            Reply::json(&request, &true)
        }
        _ => show(&agent, &request, IntentionList::Exact { source, destination }).await,
    }
}

fn required(request: &Request, name: &str) -> Result<String, Failure> {
    match request.params.non_empty(name) {
        Some(value) => Ok(value.to_owned()),
        None => Err(Failure::internal(format!("required query parameter '{name}' not set"))),
    }
}

async fn matching(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let side = match required(&request, "by")?.as_str() {
        "source" => Side::Source,
        "destination" => Side::Destination,
        _ => return Err(Failure::internal("'by' parameter must be one of 'source' or 'destination'")),
    };
    required(&request, "name")?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let mut matches = BTreeMap::new();
    let mut freshness = crate::rpc::ReadMeta::default();
    for name in request.params.all("name") {
        let read = IntentionList::Matching { side, name: name.to_owned() };
        let (meta, intentions) = agent.read(&read, &options).await?;
        freshness = meta;
        // No match at all has always been shown as null.
        matches.insert(name, (!intentions.is_empty()).then_some(intentions));
    }
    Ok(Reply::json(&request, &matches)?.with_meta(&freshness, MetaHeaders::Index))
}

/// Whether the most specific intention allows a connection; without one the default decides.
async fn check(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let source = required(&request, "source")?;
    let destination = required(&request, "destination")?;
    if let Some(kind) = request.params.non_empty("source-type").filter(|kind| *kind != "consul") {
        return Err(Failure::internal(format!("unsupported SourceType: {kind:?}")));
    }
    let options = options::consistency_options(&request)?;
    let read = IntentionList::Matching { side: Side::Destination, name: destination };
    let (_, intentions) = agent.read(&read, &options).await?;
    let allowed = match first_for(&intentions, &source) {
        Some(intention) => intention.action == "allow",
        None => agent.http.load().default_policy == "allow",
    };
    Reply::json(&request, &serde_json::json!({ "Allowed": allowed }))
}
