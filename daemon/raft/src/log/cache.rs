//! The newest entries of the log, in memory.
//!
//! Almost every read of the log is of an entry appended a moment ago: the leader applies it and
//! sends it to followers. With a byte limit this is a cache before the database; without one it is
//! the whole log of a server that keeps nothing on disk.

use std::collections::VecDeque;
use std::ops::Range;

use openraft::EntryPayload;

use crate::types::{Entry, LogId};

#[derive(Default)]
pub(super) struct Cache {
    /// Consecutive, ending with the last entry of the log unless empty.
    entries: VecDeque<Entry>,
    bytes: usize,
    limit: Option<usize>,
}

impl Cache {
    pub fn new(limit: Option<usize>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The index of the oldest entry held.
    pub fn first_index(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_id.index)
    }

    pub fn push(&mut self, entry: Entry) {
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
        let Some(limit) = self.limit else { return };
        while self.bytes > limit && self.entries.len() > 1 {
            self.drop_first();
        }
    }

    /// The entries of a range that starts at or after the oldest one held.
    pub fn range(&self, range: Range<u64>) -> impl Iterator<Item = &Entry> {
        let first = self.first_index().unwrap_or(u64::MAX);
        let skip = range.start.saturating_sub(first) as usize;
        let take = range.end.saturating_sub(range.start) as usize;
        self.entries.iter().skip(skip).take(take)
    }

    pub fn get(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.first_index()?)?;
        self.entries.get(offset as usize)
    }

    /// Drops everything from `index` on; the entry that is last now, if one is left here.
    pub fn truncate(&mut self, index: u64) -> Option<LogId> {
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= index) {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= weight(&entry);
            }
        }
        self.entries.back().map(|entry| entry.log_id)
    }

    /// Drops everything up to and including `index`.
    pub fn purge(&mut self, index: u64) {
        while self.first_index().is_some_and(|first| first <= index) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= weight(&entry);
        }
    }
}

/// What an entry costs in memory, nearly.
pub(super) fn weight(entry: &Entry) -> usize {
    let payload = match &entry.payload {
        EntryPayload::Normal(payload) => payload.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    };
    size_of::<Entry>() + payload
}

#[cfg(test)]
mod tests {
    use openraft::RaftLogId;

    use super::*;
    use crate::types::{LeaderId, ServerId};

    fn entry(index: u64) -> Entry {
        let log_id = LogId::new(LeaderId::new(1, ServerId::default()), index);
        Entry { log_id, payload: EntryPayload::Blank }
    }

    fn indexes(cache: &Cache, range: Range<u64>) -> Vec<u64> {
        cache.range(range).map(|entry| entry.get_log_id().index).collect()
    }

    #[test]
    fn the_oldest_entries_leave_once_the_limit_is_reached() {
        let mut cache = Cache::new(Some(3 * size_of::<Entry>()));
        (1..=5).for_each(|index| cache.push(entry(index)));
        assert_eq!(cache.first_index(), Some(3));
        assert_eq!(indexes(&cache, 3..6), [3, 4, 5]);
        assert_eq!(indexes(&cache, 4..5), [4]);
        assert!(cache.get(2).is_none());
    }

    #[test]
    fn both_ends_can_be_cut() {
        let mut cache = Cache::new(None);
        (1..=9).for_each(|index| cache.push(entry(index)));
        assert_eq!(cache.truncate(8).map(|id| id.index), Some(7));
        cache.purge(3);
        assert_eq!(indexes(&cache, 4..100), [4, 5, 6, 7]);
        cache.purge(100);
        assert_eq!(cache.first_index(), None);
        assert_eq!(cache.bytes, 0);
    }
}
