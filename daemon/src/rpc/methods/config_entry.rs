//! `ConfigEntry.*`.

use consul_rpc::messages::config_entry::{
    ConfigEntryQuery, ConfigEntryRequest, encode_all, encode_list, encode_one,
};
use consul_rpc::messages::value;
use consul_rpc::server::CallError;
use consul_state::config_entry::ConfigEntryCommand;

use super::call::{Call, failed, malformed, refuse};
use super::{Answer, service_config};
use crate::config_entries::{self, EntryError, Kind};
use crate::rpc::RpcError;
use crate::rpc::config_entry::{ConfigEntryGet, ConfigEntryList, ConfigEntryWrite};
use crate::rpc::remote::{Deleted, query_meta, write_options};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Apply" => apply(call).await,
        "Delete" => delete(call).await,
        "Get" => get(call).await,
        "List" => list(call).await,
        "ListAll" => list_all(call).await,
        "ResolveServiceConfig" => service_config::resolve(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

fn kind(name: &str) -> Result<Kind, CallError> {
    Kind::parse(name).ok_or_else(|| CallError::Failed(EntryError::UnknownKind(name.to_owned()).to_string()))
}

async fn get(call: Call<'_>) -> Answer {
    let sent: ConfigEntryQuery = call.arguments()?;
    let request = ConfigEntryGet { kind: kind(&sent.kind)?, name: sent.name };
    let (meta, entry) = call.read(&request).await?;
    Ok(encode_one(entry.as_deref(), &query_meta(&meta)))
}

async fn list(call: Call<'_>) -> Answer {
    let sent: ConfigEntryQuery = call.arguments()?;
    let kind = kind(&sent.kind)?;
    let (meta, entries) = call.read(&ConfigEntryList { kind: Some(kind) }).await?;
    Ok(encode_list(kind.as_str(), entries.iter().map(|entry| &**entry), &query_meta(&meta)))
}

async fn list_all(call: Call<'_>) -> Answer {
    let (meta, entries) = call.read(&ConfigEntryList { kind: None }).await?;
    Ok(encode_all(entries.iter().map(|entry| &**entry), &query_meta(&meta)))
}

/// The arguments are a byte string, so the options lie inside it.
async fn write(
    call: Call<'_>,
    sent: ConfigEntryRequest,
    command: ConfigEntryCommand,
) -> Result<bool, CallError> {
    if sent.datacenter.is_empty() {
        return Err(failed(RpcError::NoPathToDatacenter));
    }
    let options = write_options(&sent.write, sent.datacenter);
    call.agent.write(ConfigEntryWrite(command), &options).await.map_err(failed)
}

async fn apply(call: Call<'_>) -> Answer {
    let sent = ConfigEntryRequest::decode(call.body).map_err(|error| malformed(&error))?;
    kind(&sent.entry.kind)?;
    let cas = match sent.op.as_str() {
        "upsert" => None,
        "upsert-cas" => Some(sent.entry.modify_index),
        op => return refuse(format!("Invalid config entry operation: {op}")),
    };
    config_entries::validate(&sent.entry).map_err(|error| CallError::Failed(error.to_string()))?;
    let command = ConfigEntryCommand::Set { entry: Box::new(sent.entry.clone()), cas };
    Ok(value(&write(call, sent, command).await?))
}

async fn delete(call: Call<'_>) -> Answer {
    let sent = ConfigEntryRequest::decode(call.body).map_err(|error| malformed(&error))?;
    kind(&sent.entry.kind)?;
    let cas = (sent.op == "delete-cas").then_some(sent.entry.modify_index);
    let (kind, name) = (sent.entry.kind.clone(), sent.entry.name.clone());
    let deleted = write(call, sent, ConfigEntryCommand::Delete { kind, name, cas }).await?;
    Ok(value(&Deleted { deleted }))
}
