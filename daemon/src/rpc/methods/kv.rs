//! `KVS.*`.

use consul_api::types::kv::{KvPair, KvVerb};
use consul_rpc::messages::kv::{Entries, KeyListRequest, KeyRequest, Keys, KvsRequest};
use consul_rpc::messages::value;
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, refuse};
use crate::rpc::kv::{KvGet, KvKeys, KvList, KvWrite};
use crate::rpc::remote::is_conditional;

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Get" => get(call).await,
        "List" => list(call).await,
        "ListKeys" => list_keys(call).await,
        "Apply" => apply(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn get(call: Call<'_>) -> Answer {
    let sent: KeyRequest = call.arguments()?;
    let (meta, found) = call.read(&KvGet { key: sent.key.0 }).await?;
    answer(&Entries { entries: found.map(|entry| [entry]) }, &meta)
}

async fn list(call: Call<'_>) -> Answer {
    let sent: KeyRequest = call.arguments()?;
    let (meta, found) = call.read(&KvList { prefix: sent.key.0 }).await?;
    answer(&Entries { entries: (!found.is_empty()).then_some(found) }, &meta)
}

async fn list_keys(call: Call<'_>) -> Answer {
    let sent: KeyListRequest = call.arguments()?;
    let request = KvKeys { prefix: sent.prefix.0, separator: sent.separator.0 };
    let (meta, found) = call.read(&request).await?;
    answer(&Keys { keys: found.filter(|keys| !keys.is_empty()) }, &meta)
}

async fn apply(call: Call<'_>) -> Answer {
    let KvsRequest { op, dir_ent, .. } = call.arguments::<KvsRequest<KvPair>>()?;
    if dir_ent.key.is_empty() && op != KvVerb::DeleteTree.as_str() {
        return refuse("Must provide key");
    }
    let Some(verb) = KvVerb::parse(&op).filter(|verb| verb.is_write()) else {
        return refuse(format!("Invalid KVS operation '{op}'"));
    };
    let happened = call.write(KvWrite { verb, entry: dir_ent }).await?;
    Ok(value(&(happened && is_conditional(verb))))
}
