//! `consul snapshot decode`: every record as a line of JSON.

use std::fmt;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_api::snapshot::records::{Record, RecordError, RecordReader, RecordType};
use consul_api::types::acl::{AclPolicy, AclRole, AclToken};
use consul_api::types::kv::KvPair;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, json};

use super::{file_argument, open, unpack};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};

pub static COMMAND: Command = Command {
    name: "decode",
    synopsis: "Print the records of a snapshot as JSON",
    usage: "[options] FILE",
    about: "Prints a snapshot as JSON, one line for its description and one for each record. The output contains \
            secrets if the snapshot does.

    $ consul snapshot decode backup.snap | jq .Type",
    http: Http::None,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let file = open(file_argument(invocation)?)?;
    let archive = unpack(file).map_err(Failure::of("Error reading snapshot: "))?;
    let decoding = || Failure::of::<RecordError>("Error decoding snapshot: ");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    writeln!(out, "{}", json!({ "Data": archive.meta, "Type": "SnapshotHeader" }))?;
    let mut records = RecordReader::new(archive.state).map_err(decoding())?;
    while let Some(record) = records.next_record().map_err(decoding())? {
        let data = data(&record).map_err(decoding())?;
        writeln!(out, "{}", json!({ "Data": data, "Type": record.kind.to_string() }))?;
    }
    out.flush()?;
    Ok(Exit::SUCCESS)
}

/// Records with byte strings are read by their type, so that bytes become base64; the others as they stand.
fn data(record: &Record<'_>) -> Result<Value, RecordError> {
    let value = match record.kind {
        RecordType::KVS => serde_json::to_value(record.decode::<KvPair>()?),
        RecordType::ACL_TOKEN => serde_json::to_value(record.decode::<AclToken>()?),
        RecordType::ACL_POLICY => serde_json::to_value(record.decode::<AclPolicy>()?),
        RecordType::ACL_ROLE => serde_json::to_value(record.decode::<AclRole>()?),
        _ => return Ok(record.decode::<AsItStands>()?.0),
    };
    Ok(value.unwrap_or(Value::Null))
}

/// Any MessagePack value as JSON; bytes that are no text become base64.
struct AsItStands(Value);

impl<'de> Deserialize<'de> for AsItStands {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(Self)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(match std::str::from_utf8(value) {
            Ok(text) => text.into(),
            Err(_) => BASE64.encode(value).into(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(AsItStands(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((AsItStands(key), AsItStands(value))) = entries.next_entry()? {
            let key = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
