//! Keys and their values.

use std::sync::Arc;

use consul_api::types::kv::KvPair;
use consul_template_language::{Record, Value};

use super::parts::{Bytes, Str};
use super::rows::{Rows, row};

/// A key, its value and who holds it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct KeyPair {
    /// The whole key.
    pub path: Str,
    /// What follows the prefix that was asked for, without slashes at the start.
    pub key: Str,
    pub value: Bytes,
    pub create_index: u64,
    pub modify_index: u64,
    pub lock_index: u64,
    pub flags: u64,
    pub session: Str,
}

row!(KeyPair, "*dependency.KeyPair", {
    "Path" => path,
    "Key" => key,
    "Value" => value,
    "CreateIndex" => create_index,
    "ModifyIndex" => modify_index,
    "LockIndex" => lock_index,
    "Flags" => flags,
    "Session" => session,
});

impl KeyPair {
    fn new(pair: KvPair, prefix: &str) -> KeyPair {
        let path = pair.key.as_text();
        let key = path.strip_prefix(prefix).unwrap_or(&path).trim_start_matches('/');
        KeyPair {
            key: key.into(),
            path: path.as_ref().into(),
            value: Bytes(pair.value.as_slice().into()),
            create_index: pair.create_index,
            modify_index: pair.modify_index,
            lock_index: pair.lock_index,
            flags: pair.flags,
            session: pair.session.into(),
        }
    }

    /// Whether the key is that of a folder, or of nothing.
    pub(crate) fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    /// The pair under another key.
    pub(crate) fn renamed(&self, key: &str) -> Value {
        Value::Record(Arc::new(KeyPair { key: key.into(), ..self.clone() }) as Arc<dyn Record>)
    }
}

/// Pairs in the order of the server, their keys relative to `prefix`.
pub fn pairs(pairs: Vec<KvPair>, prefix: &str) -> Rows<KeyPair> {
    pairs.into_iter().map(|pair| KeyPair::new(pair, prefix)).collect()
}
