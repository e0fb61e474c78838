//! `Intention.*`.

use std::sync::Arc;

use consul_api::types::intention::Intention;
use consul_rpc::messages::intention::{
    IntentionCheckResponse, IntentionQueryRequest, IntentionRequest, Intentions, Matches,
};
use consul_rpc::messages::value;
use consul_rpc::server::CallError;
use consul_state::intention::Side;

use super::Answer;
use super::call::{Call, answer, refuse};
use crate::rpc::ReadMeta;
use crate::rpc::intention::{IntentionList, IntentionWrite};
use crate::rpc::remote::side_name;

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Apply" => apply(call).await,
        "Get" => get(call).await,
        "List" => list(call, &IntentionList::All).await,
        "Match" => matching(call).await,
        "Check" => check(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn apply(call: Call<'_>) -> Answer {
    let IntentionRequest { op, intention, .. } = call.arguments::<IntentionRequest<Option<Intention>>>()?;
    let intention = intention.unwrap_or_default();
    let write = match op.as_str() {
        "create" => IntentionWrite::Create(intention),
        "update" => IntentionWrite::Update(intention),
        "upsert" => IntentionWrite::Upsert(intention),
        "delete" => IntentionWrite::Delete { id: intention.id },
        _ => return refuse(format!("unknown intention operation {op:?}")),
    };
    Ok(value(&call.write(write).await?))
}

async fn list(call: Call<'_>, request: &IntentionList) -> Answer {
    let (meta, intentions) = call.read(request).await?;
    answer(&Intentions { intentions }, &meta)
}

async fn get(call: Call<'_>) -> Answer {
    let sent: IntentionQueryRequest = call.arguments()?;
    let (meta, intentions) = call.read(&IntentionList::Id(sent.intention_id)).await?;
    if intentions.is_empty() {
        return refuse("Intention not found");
    }
    answer(&Intentions { intentions }, &meta)
}

async fn matching(call: Call<'_>) -> Answer {
    let sent: IntentionQueryRequest = call.arguments()?;
    let wanted = sent.r#match.unwrap_or_default();
    let side = match wanted.r#type.as_str() {
        name if name == side_name(Side::Source) => Side::Source,
        name if name == side_name(Side::Destination) => Side::Destination,
        other => return refuse(format!("invalid intention match type: {other}")),
    };
    let mut matches: Vec<Vec<Arc<Intention>>> = Vec::new();
    let mut freshest = ReadMeta::default();
    for entry in wanted.entries.unwrap_or_default() {
        let (meta, found) = call.read(&IntentionList::Matching { side, name: entry.name }).await?;
        matches.push(found);
        freshest = meta;
    }
    answer(&Matches { matches }, &freshest)
}

/// Whether the most specific intention allows a connection; without one the default decides.
async fn check(call: Call<'_>) -> Answer {
    let sent: IntentionQueryRequest = call.arguments()?;
    let wanted = sent.check.unwrap_or_default();
    if !matches!(wanted.source_type.as_str(), "" | "consul") {
        return refuse(format!("unsupported SourceType: {:?}", wanted.source_type));
    }
    let request = IntentionList::Matching { side: Side::Destination, name: wanted.destination_name };
    let (_, intentions) = call.read(&request).await?;
    let applies = |intention: &&Arc<Intention>| {
        intention.source_name == consul_state::intention::WILDCARD
            || intention.source_name.eq_ignore_ascii_case(&wanted.source_name)
    };
    let allowed = match intentions.iter().find(applies) {
        Some(intention) => intention.action == "allow",
        None => call.agent.http.load().default_policy == "allow",
    };
    Ok(value(&IntentionCheckResponse { allowed }))
}
