//! The log as openraft sees it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::atomic::Ordering;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader, StorageIOError};

use super::cache::weight;
use super::{Log, REPLICATION_BYTES};
use crate::types::{Entry, LogId, ServerId, StorageError, TypeConfig, Vote};

/// Entries read at once for a follower; the byte limit cuts further.
const REPLICATION_ENTRIES: usize = 64;

impl RaftLogReader<TypeConfig> for Log {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError> {
        self.entries(half_open(&range), usize::MAX).await.map_err(read_error)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        let mut entries = self.entries(start..end, REPLICATION_ENTRIES).await.map_err(read_error)?;
        let mut bytes = 0;
        let fits = entries.iter().take_while(|entry| {
            bytes += weight(entry);
            bytes <= REPLICATION_BYTES
        });
        // One entry at least, or replication would stand still.
        let keep = fits.count().max(1);
        entries.truncate(keep);
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError> {
        let head = self.shared.head.lock();
        Ok(LogState { last_purged_log_id: head.purged, last_log_id: head.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        Log::save_vote(self, vote).await.map_err(|error| failed(ErrorSubject::Vote, ErrorVerb::Write, error))
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.shared.head.lock().vote)
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        let count = committed.map_or(0, |id| id.index + 1);
        self.shared.committed.fetch_max(count, Ordering::AcqRel);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        let Some(index) = self.committed_index() else { return Ok(None) };
        if let Some(entry) = self.shared.head.lock().cache.get(index) {
            return Ok(Some(entry.log_id));
        }
        match &mut *self.shared.database.lock().await {
            // A purged entry has no row: the snapshot holds what it did.
            Some(database) => database.log_id(index).await.map_err(read_error),
            None => Ok(None),
        }
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let result = Log::append(self, entries).await.map_err(io::Error::other);
        callback.log_io_completed(result);
        Ok(())
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        Log::truncate(self, log_id).await.map_err(write_error)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        Log::purge(self, log_id).await.map_err(write_error)
    }
}

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

fn read_error(error: sqlx::Error) -> StorageError {
    failed(ErrorSubject::Logs, ErrorVerb::Read, error)
}

fn write_error(error: sqlx::Error) -> StorageError {
    failed(ErrorSubject::Logs, ErrorVerb::Write, error)
}

fn failed(subject: ErrorSubject<ServerId>, verb: ErrorVerb, error: sqlx::Error) -> StorageError {
    StorageIOError::new(subject, verb, AnyError::new(&error)).into()
}
