//! The key/value store: entries in byte order of their keys, and the tombstones that deletes leave.

mod read;
mod write;

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Bound;
use std::sync::Arc;

use consul_api::types::kv::KvPair;
use imbl::{OrdMap, OrdSet};

use crate::id::Uuid;

/// An entry in the map: one pointer, ordered by the key inside.
#[derive(Clone)]
pub(crate) struct Slot(pub Arc<KvPair>);

#[derive(Clone, Default)]
pub(crate) struct KvTable {
    pub entries: OrdSet<Slot>,
    /// Index of the delete by key, or by prefix for a recursive one. They keep a prefix's index from going back.
    pub tombstones: OrdMap<Arc<[u8]>, u64>,
    /// Keys locked by each session that holds any.
    pub held: OrdMap<Uuid, OrdSet<Arc<[u8]>>>,
}

impl KvTable {
    pub fn get(&self, key: &[u8]) -> Option<&Arc<KvPair>> {
        self.entries.get(key).map(|slot| &slot.0)
    }

    /// Entries whose keys start with `prefix`, in order.
    pub fn under<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a Arc<KvPair>> {
        let from = (Bound::Included(prefix), Bound::<&[u8]>::Unbounded);
        let entries = self.entries.range::<_, [u8]>(from).map(|slot| &slot.0);
        entries.take_while(move |entry| entry.key.as_slice().starts_with(prefix))
    }

    /// Latest delete at or under `prefix`, 0 if none is remembered.
    pub fn last_delete_under(&self, prefix: &[u8]) -> u64 {
        let from = (Bound::Included(prefix), Bound::<&[u8]>::Unbounded);
        let stones = self.tombstones.range::<_, [u8]>(from);
        stones.take_while(|(key, _)| key.starts_with(prefix)).map(|(_, index)| *index).max().unwrap_or(0)
    }
}

impl Borrow<[u8]> for Slot {
    fn borrow(&self) -> &[u8] {
        self.0.key.as_slice()
    }
}

impl Ord for Slot {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Slot {}
