//! `ConfigEntry.*`.

use std::sync::Arc;

use consul_api::types::config_entry::ConfigEntry;
use consul_rpc::messages::config_entry::{
    ConfigEntryQuery, ConfigEntryRequest, decode_all, decode_list, decode_one,
};
use consul_rpc::messages::encode;
use consul_state::config_entry::ConfigEntryCommand;

use super::catalog::whole_datacenter;
use super::common::{query_options, read_meta, unreadable, whole, write_request};
use super::{RemoteRead, RemoteWrite};
use crate::config_entries::Kind;
use crate::rpc::config_entry::{ConfigEntryGet, ConfigEntryList, ConfigEntryWrite};
use crate::rpc::{ReadMeta, ReadOptions, RpcError, WriteOptions};

fn query(kind: Kind, name: &str, options: &ReadOptions) -> Vec<u8> {
    let own = ConfigEntryQuery {
        datacenter: options.datacenter.clone(),
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
    };
    encode(&own, &query_options(options))
}

impl RemoteRead for ConfigEntryGet {
    fn method(&self) -> &'static str {
        "ConfigEntry.Get"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        query(self.kind, &self.name, options)
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (entry, meta) = decode_one(body).map_err(|error| unreadable(&error))?;
        Ok((read_meta(&meta), entry.map(Arc::new)))
    }
}

impl RemoteRead for ConfigEntryList {
    fn method(&self) -> &'static str {
        match self.kind {
            Some(_) => "ConfigEntry.List",
            None => "ConfigEntry.ListAll",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        match self.kind {
            Some(kind) => query(kind, "", options),
            None => whole_datacenter(options),
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let decoded = if self.kind.is_some() { decode_list(body) } else { decode_all(body) };
        let (entries, meta) = decoded.map_err(|error| unreadable(&error))?;
        Ok((read_meta(&meta), entries.into_iter().map(Arc::new).collect()))
    }
}

impl RemoteWrite for ConfigEntryWrite {
    fn method(&self) -> &'static str {
        match self.0 {
            ConfigEntryCommand::Set { .. } => "ConfigEntry.Apply",
            ConfigEntryCommand::Delete { .. } => "ConfigEntry.Delete",
        }
    }

    fn arguments(&self, options: &WriteOptions) -> Vec<u8> {
        let (op, entry, cas) = match &self.0 {
            ConfigEntryCommand::Set { entry, cas } => {
                (if cas.is_some() { "upsert-cas" } else { "upsert" }, (**entry).clone(), *cas)
            }
            ConfigEntryCommand::Delete { kind, name, cas } => {
                let entry = ConfigEntry { kind: kind.clone(), name: name.clone(), ..ConfigEntry::default() };
                (if cas.is_some() { "delete-cas" } else { "delete" }, entry, *cas)
            }
        };
        let entry = ConfigEntry { modify_index: cas.unwrap_or(entry.modify_index), ..entry };
        let (datacenter, op) = (options.datacenter.clone(), op.to_owned());
        ConfigEntryRequest { datacenter, op, entry, write: write_request(options) }.encode()
    }

    fn reply(&self, body: &[u8]) -> Result<bool, RpcError> {
        match self.0 {
            ConfigEntryCommand::Set { .. } => whole(body),
            ConfigEntryCommand::Delete { cas, .. } => {
                let deleted: Deleted = whole(body)?;
                Ok(deleted.deleted || cas.is_none())
            }
        }
    }
}

/// Older servers say nothing here, and know no conditional deletion.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Deleted {
    pub deleted: bool,
}
