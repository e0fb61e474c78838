//! `ConfigEntry.*`: blobs, each a byte string that holds several values.
//!
//! The shape of an entry depends on its kind, so the kind goes before the entry, and neither fits one map.

use consul_api::msgpack::{self, DecodeError};
use consul_api::types::bytes::Blob;
use consul_api::types::config_entry::{BinaryEntry, ConfigEntry, is_wrapped};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{QueryMeta, WriteRequest, encode, value};

/// `ConfigEntry.Get`, `ConfigEntry.List`; a list has no name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigEntryQuery {
    pub datacenter: String,
    pub kind: String,
    pub name: String,
}

/// `ConfigEntry.Apply` and `ConfigEntry.Delete`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigEntryRequest {
    pub datacenter: String,
    /// `upsert`, `upsert-cas`, `delete`, `delete-cas`; the conditional ones by the entry's modify index.
    pub op: String,
    pub entry: ConfigEntry,
    pub write: WriteRequest,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RequestFields {
    datacenter: String,
    op: String,
}

/// `None` cannot happen with entries that were stored: no number of them is too wide and no list too long.
fn binary(entry: &ConfigEntry) -> Option<BinaryEntry> {
    entry.to_binary().ok()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RequestBody {
    datacenter: String,
    op: String,
    entry: Option<BinaryEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Entry<T> {
    entry: T,
}

impl ConfigEntryRequest {
    pub fn encode(self) -> Vec<u8> {
        let Self { datacenter, op, entry, write } = self;
        let mut blob = value(&entry.kind);
        let body = RequestBody { datacenter, op, entry: binary(&entry) };
        blob.extend(encode(&body, &write));
        value(&Blob::from(blob))
    }

    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let blob: Blob = msgpack::from_slice(body)?;
        let mut rest = blob.as_slice();
        let kind: String = msgpack::from_front(&mut rest)?;
        let RequestFields { datacenter, op } = msgpack::from_slice(rest)?;
        let write = msgpack::from_slice(rest)?;
        let entry = BinaryEntry::read(
            &kind,
            || msgpack::from_slice(rest).map(|body: Entry<Value>| body.entry),
            || msgpack::from_slice(rest).map(|body: Entry<Blob>| body.entry),
        )?;
        Ok(Self { datacenter, op, entry: ConfigEntry::from_binary(kind, entry)?, write })
    }
}

/// Answer of `ConfigEntry.Get`.
pub fn encode_one(entry: Option<&ConfigEntry>, meta: &QueryMeta) -> Vec<u8> {
    let mut blob = value(entry.map_or("", |entry| &entry.kind));
    if let Some(entry) = entry {
        blob.extend(value(&binary(entry)));
    }
    blob.extend(value(meta));
    value(&Blob::from(blob))
}

pub fn decode_one(body: &[u8]) -> Result<(Option<ConfigEntry>, QueryMeta), DecodeError> {
    let blob: Blob = msgpack::from_slice(body)?;
    let mut rest = blob.as_slice();
    let kind: String = msgpack::from_front(&mut rest)?;
    let entry = match kind.as_str() {
        "" => None,
        _ => Some(read_one(kind, &mut rest)?),
    };
    Ok((entry, msgpack::from_slice(rest)?))
}

fn read_one(kind: String, rest: &mut &[u8]) -> Result<ConfigEntry, DecodeError> {
    let bytes = msgpack::skip_value(rest)?;
    let entry = BinaryEntry::read(&kind, || msgpack::from_slice(bytes), || msgpack::from_slice(bytes))?;
    ConfigEntry::from_binary(kind, entry)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListBody<'a> {
    kind: &'a str,
    entries: Vec<Option<BinaryEntry>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ListEntries<T> {
    entries: Vec<T>,
}

/// Answer of `ConfigEntry.List`: entries of one kind.
pub fn encode_list<'a>(
    kind: &str,
    entries: impl ExactSizeIterator<Item = &'a ConfigEntry>,
    meta: &QueryMeta,
) -> Vec<u8> {
    let mut blob = value(&entries.len());
    blob.extend(value(kind));
    let entries = entries.map(binary).collect();
    blob.extend(encode(&ListBody { kind, entries }, meta));
    value(&Blob::from(blob))
}

pub fn decode_list(body: &[u8]) -> Result<(Vec<ConfigEntry>, QueryMeta), DecodeError> {
    let blob: Blob = msgpack::from_slice(body)?;
    let mut rest = blob.as_slice();
    let _count: u64 = msgpack::from_front(&mut rest)?;
    let kind: String = msgpack::from_front(&mut rest)?;
    let meta = msgpack::from_slice(rest)?;
    let entries: Result<Vec<ConfigEntry>, DecodeError> = if is_wrapped(&kind) {
        let list: ListEntries<Blob> = msgpack::from_slice(rest)?;
        list.entries
            .into_iter()
            .map(|entry| ConfigEntry::from_binary(&*kind, BinaryEntry::Wrapped(entry)))
            .collect()
    } else {
        let list: ListEntries<Value> = msgpack::from_slice(rest)?;
        list.entries
            .into_iter()
            .map(|entry| ConfigEntry::from_binary(&*kind, BinaryEntry::Plain(entry)))
            .collect()
    };
    Ok((entries?, meta))
}

/// Answer of `ConfigEntry.ListAll`: entries of all kinds, each after its own.
pub fn encode_all<'a>(entries: impl ExactSizeIterator<Item = &'a ConfigEntry>, meta: &QueryMeta) -> Vec<u8> {
    let mut blob = value(&entries.len());
    for entry in entries {
        blob.extend(value(&entry.kind));
        blob.extend(value(&binary(entry)));
    }
    blob.extend(value(meta));
    value(&Blob::from(blob))
}

pub fn decode_all(body: &[u8]) -> Result<(Vec<ConfigEntry>, QueryMeta), DecodeError> {
    let blob: Blob = msgpack::from_slice(body)?;
    let mut rest = blob.as_slice();
    let count: u64 = msgpack::from_front(&mut rest)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let kind: String = msgpack::from_front(&mut rest)?;
        entries.push(read_one(kind, &mut rest)?);
    }
    Ok((entries, msgpack::from_slice(rest)?))
}
