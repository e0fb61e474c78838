//! The log: entries, vote and what was purged.
//!
//! openraft's core appends one batch at a time and waits for it, so an append runs to the disk and
//! back before it returns: handing it to another task would only add a hop. Whoever gathers
//! commands for the next entry is told the moment an append is on disk (see [`FlushObserver`]).

mod cache;
pub(crate) mod database;
mod storage;
mod store;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use openraft::EntryPayload;
use parking_lot::Mutex;

use self::cache::{Cache, weight};
use self::database::{Database, Value};
use self::store::Store;
use crate::error::OpenError;
use crate::lease::Lease;
use crate::payload::Ticket;
use crate::types::{Entry, LogId, Membership, ServerId, StoredMembership, Vote};

/// One request to a follower carries about this much: openraft gives it no more than a heartbeat's time.
const REPLICATION_BYTES: usize = 512 << 10;
/// Memberships that may still be undone by a truncation; openraft itself keeps two.
const MEMBERSHIPS: usize = 4;
/// Rows removed at a time, so that appends never wait long for a purge.
const PURGE_STEP: u64 = 512;

/// Told when an entry is on disk. Runs on openraft's core task: must not block.
pub(crate) trait FlushObserver: Send + Sync {
    fn flushed(&self, ticket: Ticket);
}

/// The log store, shared by openraft's core, its replication tasks and this crate.
#[derive(Clone)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    /// `None`: everything is in memory. Also serializes reads and writes of the file.
    database: tokio::sync::Mutex<Option<Store>>,
    durable: bool,
    head: Mutex<Head>,
    lease: Arc<Lease>,
    /// Committed entries, counted from index 0. Written with the next append: it lets a restarted
    /// server show again what it showed before, without waiting for a leader.
    committed: AtomicU64,
    observer: OnceLock<Arc<dyn FlushObserver>>,
    /// Told when a purge that waited for its snapshot is on disk, or never will be.
    purge_settled: tokio::sync::Notify,
}

/// openraft purges the log while the snapshot that takes its place is still being installed. On disk the purge must
/// come second: with neither entries nor snapshot, the server could not start again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purge {
    Settled,
    WaitsForSnapshot(LogId),
    /// The snapshot was not installed.
    Impossible,
}

struct Head {
    cache: Cache,
    last: Option<LogId>,
    purged: Option<LogId>,
    /// Where the snapshot ends that a restart would find.
    snapshot: Option<LogId>,
    purge: Purge,
    vote: Option<Vote>,
    /// Newest last, with the index of their entries.
    memberships: Vec<(u64, Membership)>,
}

/// A failure of the log file. openraft stops on it: what is on disk is no longer known.
type Result<T, E = sqlx::Error> = std::result::Result<T, E>;

impl Log {
    pub fn in_memory(lease: Arc<Lease>) -> Self {
        Self::new(None, Head::new(Cache::new(None)), 0, lease)
    }

    /// Opens the log in `directory`, or makes a new one.
    pub async fn open(
        directory: &Path,
        server: ServerId,
        cache_bytes: usize,
        lease: Arc<Lease>,
    ) -> Result<Self, OpenError> {
        let database = Database::open(directory, server).await?;
        Self::recover(Store::Sqlite(database), cache_bytes, lease)
            .await
            .map_err(|source| OpenError::Database { path: directory.to_owned(), source })
    }

    #[cfg(test)]
    pub async fn simulated(
        disk: &crate::sim::disk::SimDisk,
        cache_bytes: usize,
        lease: Arc<Lease>,
    ) -> Result<Self> {
        Self::recover(Store::Simulated(disk.open()), cache_bytes, lease).await
    }

    async fn recover(mut database: Store, cache_bytes: usize, lease: Arc<Lease>) -> Result<Self> {
        let mut head = Head::new(Cache::new(Some(cache_bytes)));
        let committed = load_head(&mut database, &mut head).await?;
        if let Some(vote) = &head.vote {
            lease.on_vote(vote);
        }
        head.announce_membership(&lease);
        Ok(Self::new(Some(database), head, committed, lease))
    }

    fn new(database: Option<Store>, head: Head, committed: u64, lease: Arc<Lease>) -> Self {
        Self {
            shared: Arc::new(Shared {
                durable: database.is_some(),
                database: tokio::sync::Mutex::new(database),
                head: Mutex::new(head),
                lease,
                committed: AtomicU64::new(committed),
                observer: OnceLock::new(),
                purge_settled: tokio::sync::Notify::new(),
            }),
        }
    }

    /// Names who is told about flushed entries. The first call counts.
    pub fn observe(&self, observer: Arc<dyn FlushObserver>) {
        let _ = self.shared.observer.set(observer);
    }

    pub fn last(&self) -> Option<LogId> {
        self.shared.head.lock().last
    }

    /// A snapshot is in force that ends with this membership. Its entry may be gone from the log.
    pub fn on_snapshot(&self, membership: &StoredMembership) {
        let index = membership.log_id().map_or(0, |log_id| log_id.index);
        let mut head = self.shared.head.lock();
        head.memberships.retain(|(known, _)| *known != index);
        let at = head.memberships.partition_point(|(known, _)| *known < index);
        head.memberships.insert(at, (index, membership.membership().clone()));
        head.announce_membership(&self.shared.lease);
    }

    /// A restart would find a snapshot that ends with `last`.
    pub async fn on_snapshot_kept(&self, last: Option<LogId>) -> Result<()> {
        let due = {
            let mut head = self.shared.head.lock();
            head.snapshot = head.snapshot.max(last);
            match head.purge {
                Purge::WaitsForSnapshot(upto) if head.snapshot >= Some(upto) => upto,
                _ => return Ok(()),
            }
        };
        self.purge_stored(due, true).await?;
        self.settle_purge(Purge::Settled);
        Ok(())
    }

    /// A snapshot was not installed: what it was to replace stays.
    pub fn on_snapshot_failed(&self) {
        if matches!(self.shared.head.lock().purge, Purge::WaitsForSnapshot(_)) {
            self.settle_purge(Purge::Impossible);
        }
    }

    fn settle_purge(&self, purge: Purge) {
        self.shared.head.lock().purge = purge;
        self.shared.purge_settled.notify_waiters();
    }

    /// What is appended must follow what is on disk.
    async fn wait_for_purge(&self) -> Result<()> {
        loop {
            let mut settled = std::pin::pin!(self.shared.purge_settled.notified());
            settled.as_mut().enable();
            match self.shared.head.lock().purge {
                Purge::Settled => return Ok(()),
                Purge::Impossible => return Err(closed()),
                Purge::WaitsForSnapshot(_) => {}
            }
            settled.await;
        }
    }

    /// The index of the newest entry known to be committed.
    pub fn committed_index(&self) -> Option<u64> {
        self.shared.committed.load(Ordering::Acquire).checked_sub(1)
    }

    pub async fn load<T: serde::de::DeserializeOwned>(&self, value: Value) -> Result<Option<T>> {
        match &mut *self.shared.database.lock().await {
            Some(database) => database.load(value).await,
            None => Ok(None),
        }
    }

    pub async fn save(&self, value: Value, content: &impl serde::Serialize) -> Result<()> {
        match &mut *self.shared.database.lock().await {
            Some(database) => database.save(value, content).await,
            None if self.shared.durable => Err(closed()),
            None => Ok(()),
        }
    }

    /// Removes rows that were purged, a few at a time; appends may come in between.
    pub async fn collect_garbage(&self) -> Result<()> {
        loop {
            let Some(purged) = self.shared.head.lock().purged else { return Ok(()) };
            let more = match &mut *self.shared.database.lock().await {
                Some(database) => database.remove_some(purged.index, PURGE_STEP).await?,
                None => return Ok(()),
            };
            if !more {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// The index up to which entries can go when the snapshot covers `snapshot`, so that at most
    /// `entries` and `bytes` of covered ones stay.
    pub async fn purge_point(&self, snapshot: u64, entries: u64, bytes: u64) -> Result<Option<u64>> {
        let sizes = match &mut *self.shared.database.lock().await {
            Some(database) => database.sizes(snapshot, entries.saturating_add(1)).await?,
            None => {
                let head = self.shared.head.lock();
                let first = snapshot.saturating_sub(entries);
                let mut sizes: Vec<_> = head
                    .cache
                    .range(first..snapshot.saturating_add(1))
                    .map(|entry| (entry.log_id.index, weight(entry) as u64))
                    .collect();
                sizes.reverse();
                sizes
            }
        };
        let mut kept_bytes = 0u64;
        for (kept, (index, size)) in sizes.into_iter().enumerate() {
            kept_bytes = kept_bytes.saturating_add(size);
            if kept as u64 >= entries || kept_bytes > bytes {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Closes the file; later use fails.
    pub async fn close(&self) -> Result<()> {
        match self.shared.database.lock().await.take() {
            Some(database) => database.close().await,
            None => Ok(()),
        }
    }

    async fn entries(&self, range: Range<u64>, limit: usize) -> Result<Vec<Entry>> {
        let (range, cached_from) = {
            let head = self.shared.head.lock();
            let Some(range) = head.clip(range) else { return Ok(Vec::new()) };
            let cached_from = head.cache.first_index().unwrap_or(u64::MAX);
            if cached_from <= range.start {
                return Ok(head.cache.range(range).take(limit).cloned().collect());
            }
            (range, cached_from)
        };
        let stored = range.start..range.end.min(cached_from);
        let mut entries = match &mut *self.shared.database.lock().await {
            Some(database) => database.read(stored, limit).await?,
            None => return Err(closed()),
        };
        let next = entries.last().map_or(range.start, |entry| entry.log_id.index + 1);
        let left = limit.saturating_sub(entries.len());
        if left > 0 && next < range.end {
            let head = self.shared.head.lock();
            // The cache may have moved on meanwhile. A shorter answer is no error for a caller
            // with a limit; the others are told by openraft's own check.
            if head.cache.first_index().is_some_and(|first| first <= next) {
                entries.extend(head.cache.range(next..range.end).take(left).cloned());
            }
        }
        Ok(entries)
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<()> {
        self.wait_for_purge().await?;
        for entry in &entries {
            if let EntryPayload::Membership(membership) = &entry.payload {
                let mut head = self.shared.head.lock();
                head.push_membership(entry.log_id.index, membership.clone());
                head.announce_membership(&self.shared.lease);
            }
        }
        match &mut *self.shared.database.lock().await {
            Some(database) => {
                database.append(&entries, self.shared.committed.load(Ordering::Acquire)).await?;
            }
            None if self.shared.durable => return Err(closed()),
            None => {}
        }
        let mut tickets = Vec::with_capacity(entries.len());
        {
            let mut head = self.shared.head.lock();
            for entry in entries {
                if let EntryPayload::Normal(payload) = &entry.payload {
                    tickets.extend(payload.ticket());
                }
                head.last = Some(entry.log_id);
                head.cache.push(entry);
            }
        }
        if let Some(observer) = self.shared.observer.get() {
            tickets.into_iter().for_each(|ticket| observer.flushed(ticket));
        }
        Ok(())
    }

    async fn truncate(&self, from: LogId) -> Result<()> {
        let previous = from.index.checked_sub(1);
        let mut stored_last = None;
        match &mut *self.shared.database.lock().await {
            Some(database) => {
                database.truncate(from.index).await?;
                if let Some(previous) = previous {
                    stored_last = database.log_id(previous).await?;
                }
            }
            None if self.shared.durable => return Err(closed()),
            None => {}
        }
        let mut head = self.shared.head.lock();
        head.last = head.cache.truncate(from.index).or(stored_last).or(head.purged);
        head.memberships.retain(|(index, _)| *index < from.index);
        head.announce_membership(&self.shared.lease);
        Ok(())
    }

    /// Forgets everything up to `upto`, which may lie beyond the end when a snapshot took its place.
    async fn purge(&self, upto: LogId) -> Result<()> {
        let beyond = {
            let mut head = self.shared.head.lock();
            if head.purged.is_some_and(|purged| purged.index >= upto.index) {
                return Ok(());
            }
            head.purged = Some(upto);
            head.cache.purge(upto.index);
            let beyond = head.last.is_none_or(|last| last.index <= upto.index);
            if beyond {
                head.last = Some(upto);
            }
            if self.shared.durable && head.snapshot < Some(upto) {
                head.purge = Purge::WaitsForSnapshot(upto);
                return Ok(());
            }
            beyond
        };
        self.purge_stored(upto, beyond).await
    }

    async fn purge_stored(&self, upto: LogId, beyond: bool) -> Result<()> {
        match &mut *self.shared.database.lock().await {
            Some(database) => {
                database.save(Value::Purged, &upto).await?;
                // A gap would follow: rows that stay would sit below the next append.
                while beyond && database.remove_some(upto.index, PURGE_STEP).await? {}
            }
            None if self.shared.durable => return Err(closed()),
            None => {}
        }
        Ok(())
    }

    async fn save_vote(&self, vote: &Vote) -> Result<()> {
        // First, so that no read is answered under a lease that this vote ends.
        if !vote.committed || vote.leader_id.node_id != self.shared.lease.me() {
            self.shared.lease.on_vote(vote);
        }
        self.save(Value::Vote, vote).await?;
        self.shared.head.lock().vote = Some(*vote);
        self.shared.lease.on_vote(vote);
        Ok(())
    }
}

impl Head {
    fn new(cache: Cache) -> Self {
        Self {
            cache,
            last: None,
            purged: None,
            snapshot: None,
            purge: Purge::Settled,
            vote: None,
            memberships: Vec::new(),
        }
    }

    /// The part of a range that the log holds.
    fn clip(&self, range: Range<u64>) -> Option<Range<u64>> {
        let start = range.start.max(self.purged.map_or(0, |purged| purged.index + 1));
        let end = range.end.min(self.last?.index + 1);
        (start < end).then_some(start..end)
    }

    fn announce_membership(&self, lease: &Lease) {
        if let Some((_, membership)) = self.memberships.last() {
            lease.on_membership(membership);
        }
    }

    fn push_membership(&mut self, index: u64, membership: Membership) {
        self.memberships.push((index, membership));
        if self.memberships.len() > MEMBERSHIPS {
            self.memberships.remove(0);
        }
    }
}

/// Reads what a restart needs; the number of committed entries.
async fn load_head(database: &mut Store, head: &mut Head) -> Result<u64> {
    head.vote = database.load(Value::Vote).await?;
    head.purged = database.load(Value::Purged).await?;
    let last = database.last().await?;
    let stored_last = last.map(|(id, _)| id);
    // After a snapshot replaced the log, rows below the purge mark may wait for their removal.
    head.last = stored_last.max(head.purged);
    for entry in database.memberships(MEMBERSHIPS).await? {
        if let EntryPayload::Membership(membership) = entry.payload {
            head.push_membership(entry.log_id.index, membership);
        }
    }
    Ok(last.map_or(0, |(_, committed)| committed))
}

fn closed() -> sqlx::Error {
    sqlx::Error::Protocol("the raft log is closed".to_owned())
}
