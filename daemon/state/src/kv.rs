//! The key/value store: entries in byte order of their keys, and the tombstones that deletes leave.

mod read;
mod write;

use std::sync::Arc;

use consul_api::types::bytes::Key;
use consul_api::types::kv::KvPair;
use imbl::{OrdMap, OrdSet};

use crate::id::Uuid;
use crate::radix::{Keyed, RadixMap};

#[derive(Clone, Default)]
pub(crate) struct KvTable {
    pub entries: RadixMap<Arc<KvPair>>,
    /// They keep a prefix's index from going back.
    pub tombstones: RadixMap<Arc<Tombstone>>,
    /// Keys locked by each session that holds any.
    pub held: OrdMap<Uuid, OrdSet<Arc<[u8]>>>,
}

/// What remains of a deleted key, or of the prefix of a recursive delete.
pub(crate) struct Tombstone {
    pub key: Key,
    /// Index of the delete.
    pub index: u64,
}

impl Keyed for Arc<KvPair> {
    fn key(&self) -> &[u8] {
        self.key.as_slice()
    }
}

impl Keyed for Arc<Tombstone> {
    fn key(&self) -> &[u8] {
        self.key.as_slice()
    }
}

impl KvTable {
    /// Latest delete at or under `prefix`, 0 if none is remembered.
    pub fn last_delete_under(&self, prefix: &[u8]) -> u64 {
        self.tombstones.under(prefix).map(|stone| stone.index).max().unwrap_or(0)
    }
}
