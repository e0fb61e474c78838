//! Centralised configuration entries: kept as documents, since nothing here interprets them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bytes::Blob;
use super::duration::GoDuration;
use crate::msgpack::{self, DecodeError, EncodeError};

/// One entry. `fields` holds everything except kind, name and indexes, in canonical CamelCase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigEntry {
    pub kind: String,
    pub name: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// The kind whose entry is wrapped once more.
const KIND_PROXY_DEFAULTS: &str = "proxy-defaults";

/// Fields that are texts in JSON and nanoseconds in binary.
const DURATIONS: [&str; 4] = ["ConnectTimeout", "RequestTimeout", "IdleTimeout", "PerTryTimeout"];

/// Does an entry of this kind travel as a byte string that holds the map?
pub fn is_wrapped(kind: &str) -> bool {
    kind == KIND_PROXY_DEFAULTS
}

/// An entry as it lies in binary messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BinaryEntry {
    Plain(Value),
    /// A byte string that holds the map.
    Wrapped(Blob),
}

impl BinaryEntry {
    /// Reads one by whichever of two readers fits the kind: of a map, or of the byte string that wraps it.
    pub fn read(
        kind: &str,
        plain: impl FnOnce() -> Result<Value, DecodeError>,
        wrapped: impl FnOnce() -> Result<Blob, DecodeError>,
    ) -> Result<Self, DecodeError> {
        if is_wrapped(kind) { wrapped().map(Self::Wrapped) } else { plain().map(Self::Plain) }
    }
}

impl ConfigEntry {
    pub fn to_binary(&self) -> Result<BinaryEntry, EncodeError> {
        let mut document = self.fields.clone();
        document.insert("Kind".to_owned(), self.kind.clone().into());
        document.insert("Name".to_owned(), self.name.clone().into());
        document.insert("CreateIndex".to_owned(), self.create_index.into());
        document.insert("ModifyIndex".to_owned(), self.modify_index.into());
        let mut document = Value::Object(document);
        durations_to_numbers(&mut document);
        if is_wrapped(&self.kind) {
            Ok(BinaryEntry::Wrapped(Blob::from(msgpack::to_vec(&document)?)))
        } else {
            Ok(BinaryEntry::Plain(document))
        }
    }

    pub fn from_binary(kind: impl Into<String>, entry: BinaryEntry) -> Result<Self, DecodeError> {
        let kind = kind.into();
        let mut document: Value = match entry {
            BinaryEntry::Plain(document) => document,
            BinaryEntry::Wrapped(blob) => msgpack::from_slice(blob.as_slice())?,
        };
        numbers_to_durations(&mut document);
        let Value::Object(mut fields) = document else { return Ok(Self { kind, ..Self::default() }) };
        fields.remove("Kind");
        let name =
            fields.remove("Name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let mut index = |name| fields.remove(name).and_then(|index| index.as_u64()).unwrap_or_default();
        let (create_index, modify_index) = (index("CreateIndex"), index("ModifyIndex"));
        Ok(Self { kind, name, fields, create_index, modify_index })
    }
}

fn durations_to_numbers(value: &mut Value) {
    convert(value, &|field| {
        let span: GoDuration = field.as_str()?.parse().ok()?;
        Some(span.0.into())
    });
}

fn numbers_to_durations(value: &mut Value) {
    convert(value, &|field| Some(GoDuration(field.as_i64()?).to_string().into()));
}

/// Rewrites duration fields at any depth; decoding has bounded the depth.
fn convert(value: &mut Value, rewrite: &dyn Fn(&Value) -> Option<Value>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match DURATIONS.contains(&name.as_str()).then(|| rewrite(field)).flatten() {
                    Some(rewritten) => *field = rewritten,
                    None => convert(field, rewrite),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| convert(item, rewrite)),
        _ => {}
    }
}
