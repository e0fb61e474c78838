//! `KVS.*`.

use consul_api::types::bytes::Key;
use serde::{Deserialize, Serialize};

/// `KVS.Get`, and `KVS.List` with a prefix for a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyRequest {
    pub datacenter: String,
    pub key: Key,
}

/// `KVS.ListKeys`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyListRequest {
    pub datacenter: String,
    pub prefix: Key,
    /// Misspelt on the wire since the first release.
    #[serde(rename = "Seperator")]
    pub separator: Key,
}

/// `KVS.Apply`; the entry is a `KvPair` or a reference to one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KvsRequest<E> {
    pub datacenter: String,
    pub op: String,
    pub dir_ent: E,
}

/// Answer of `KVS.Get` and `KVS.List`. Nil for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Entries<T> {
    pub entries: T,
}

/// Answer of `KVS.ListKeys`. Nil for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Keys<T> {
    pub keys: T,
}
