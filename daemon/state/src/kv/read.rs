//! Reads of the key/value store.

use std::sync::Arc;

use consul_api::types::kv::KvPair;

use crate::table::Table;
use crate::version::Version;
use crate::watch::{Topic, WatchSet};

impl Version {
    /// One entry. The index is the entry's, or the table's while there is none: then any write may be the one that
    /// creates it.
    pub fn kv_get(&self, key: &[u8], watch: &mut WatchSet) -> (u64, Option<&Arc<KvPair>>) {
        match self.tables.kv.entries.get(key) {
            Some(entry) => {
                watch.add(Topic::key(key));
                (entry.modify_index.max(1), Some(entry))
            }
            None => (self.kv_table(watch), None),
        }
    }

    /// All entries whose keys start with `prefix`, in byte order. The index is the latest change or remembered delete
    /// under the prefix, or the table's if there is neither or the prefix is empty.
    pub fn kv_list<'a>(&'a self, prefix: &'a [u8], watch: &mut WatchSet) -> (u64, Vec<&'a Arc<KvPair>>) {
        let entries: Vec<_> = self.tables.kv.entries.under(prefix).collect();
        let last_write = entries.iter().map(|entry| entry.modify_index).max().unwrap_or(0);
        (self.kv_prefix_index(prefix, last_write, watch), entries)
    }

    /// Keys that start with `prefix`. With a separator, each is cut after the first one beyond the prefix, and equal
    /// results are listed once. Index as [`Version::kv_list`].
    pub fn kv_keys<'a>(
        &'a self,
        prefix: &'a [u8],
        separator: &[u8],
        watch: &mut WatchSet,
    ) -> (u64, Vec<&'a [u8]>) {
        let mut keys: Vec<&[u8]> = Vec::new();
        let mut last_write = 0;
        for entry in self.tables.kv.entries.under(prefix) {
            last_write = entry.modify_index.max(last_write);
            let key = cut(entry.key.as_slice(), prefix.len(), separator);
            if keys.last() != Some(&key) {
                keys.push(key);
            }
        }
        (self.kv_prefix_index(prefix, last_write, watch), keys)
    }

    /// Keys held by the session with this id.
    pub fn kv_held(&self, session: &str) -> Vec<&[u8]> {
        let Ok(id) = crate::id::Uuid::parse(session) else { return Vec::new() };
        let held = self.tables.kv.held.get(&id);
        held.into_iter().flat_map(|keys| keys.iter()).map(|key| &**key).collect()
    }

    /// Number of entries.
    pub fn kv_count(&self) -> usize {
        self.tables.kv.entries.len()
    }

    /// Index of the oldest tombstone, if any is left to reap.
    pub fn oldest_tombstone(&self) -> Option<u64> {
        self.tables.kv.tombstones.iter().map(|stone| stone.index).min()
    }

    fn kv_table(&self, watch: &mut WatchSet) -> u64 {
        watch.table(Table::Kv);
        self.last_change(Table::Kv).max(self.last_change(Table::Tombstones))
    }

    fn kv_prefix_index(&self, prefix: &[u8], last_write: u64, watch: &mut WatchSet) -> u64 {
        if prefix.is_empty() {
            return self.kv_table(watch);
        }
        match last_write.max(self.tables.kv.last_delete_under(prefix)) {
            0 => self.kv_table(watch),
            index => {
                watch.add(Topic::prefix(prefix));
                index
            }
        }
    }
}

fn cut<'a>(key: &'a [u8], prefix_len: usize, separator: &[u8]) -> &'a [u8] {
    if separator.is_empty() {
        return key;
    }
    let beyond = key.get(prefix_len..).unwrap_or_default();
    match beyond.windows(separator.len()).position(|window| window == separator) {
        Some(at) => &key[..prefix_len + at + separator.len()],
        None => key,
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn keys_are_cut_after_the_first_separator_beyond_the_prefix() {
        assert_eq!(cut(b"a/b/c", 0, b"/"), b"a/");
        assert_eq!(cut(b"a/b/c", 2, b"/"), b"a/b/");
        assert_eq!(cut(b"a/b", 2, b"/"), b"a/b");
        assert_eq!(cut(b"web/sub/c", 4, b"sub"), b"web/sub");
        assert_eq!(cut(b"a/", 2, b"/"), b"a/");
        assert_eq!(cut(b"a", 0, b""), b"a");
    }
}
