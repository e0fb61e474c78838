//! A disk that loses what was not flushed.
//!
//! It stands in for the SQLite file behind the same methods. Writes are visible at once and durable only after a
//! simulated flush; a crash keeps what was flushed and a random number of the writes after it, oldest first, which is
//! what a write-ahead log leaves. What SQLite itself does when it is killed is for the tests with real processes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::EntryPayload;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::database::Value;
use crate::types::{Entry, LogId, SnapshotMeta};

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A disk, which outlives the servers that use it one after another.
#[derive(Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimDisk")
    }
}

struct Inner {
    durable: Content,
    cached: Content,
    /// Writes after `durable`, oldest first, by number.
    pending: BTreeMap<u64, Write>,
    next: u64,
    /// Rises with every crash: who opened the disk before can do nothing any more.
    generation: u64,
    fault: Fault,
    random: StdRng,
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Each flush takes this long.
    Slow(Duration),
    /// Writes fail.
    Broken,
    /// Appends wait for room, other writes fail.
    Full,
}

#[derive(Clone, Default)]
struct Content {
    /// Entries with the number of committed ones that was written with them.
    log: BTreeMap<u64, (Entry, u64)>,
    values: BTreeMap<&'static str, String>,
    snapshot: Option<(SnapshotMeta, Bytes)>,
}

#[derive(Clone)]
enum Write {
    Append(Vec<Entry>, u64),
    Truncate(u64),
    Remove(u64),
    Save(&'static str, String),
    Snapshot(Box<SnapshotMeta>, Bytes),
}

impl Content {
    fn apply(&mut self, write: Write) {
        match write {
            Write::Append(entries, committed) => {
                self.log.extend(entries.into_iter().map(|entry| (entry.log_id.index, (entry, committed))));
            }
            Write::Truncate(from) => drop(self.log.split_off(&from)),
            Write::Remove(upto) => self.log = self.log.split_off(&(upto + 1)),
            Write::Save(key, json) => drop(self.values.insert(key, json)),
            Write::Snapshot(meta, bytes) => self.snapshot = Some((*meta, bytes)),
        }
    }
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        let inner = Inner {
            durable: Content::default(),
            cached: Content::default(),
            pending: BTreeMap::new(),
            next: 0,
            generation: 0,
            fault: Fault::None,
            random: StdRng::seed_from_u64(seed),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    pub(crate) fn open(&self) -> SimStore {
        SimStore { disk: self.clone(), generation: self.inner.lock().generation }
    }

    /// The power fails.
    pub fn crash(&self) {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        inner.generation += 1;
        inner.fault = Fault::None;
        let kept = inner.random.random_range(0..=inner.pending.len());
        for (_, write) in std::mem::take(&mut inner.pending).into_iter().take(kept) {
            inner.durable.apply(write);
        }
        inner.cached = inner.durable.clone();
    }

    pub fn set_fault(&self, fault: Fault) {
        self.inner.lock().fault = fault;
    }

    pub fn snapshot(&self) -> Option<(SnapshotMeta, Bytes)> {
        self.inner.lock().cached.snapshot.clone()
    }

    pub fn describe(&self) -> String {
        let inner = self.inner.lock();
        let content = &inner.cached;
        let ends = (content.log.first_key_value(), content.log.last_key_value());
        let snapshot = content.snapshot.as_ref().map(|(meta, _)| meta.last_log_id);
        format!("log {ends:?}, values {:?}, snapshot {snapshot:?}", content.values)
    }

    /// The log as a reader of the disk sees it.
    pub fn log(&self) -> BTreeMap<u64, Entry> {
        let inner = self.inner.lock();
        inner.cached.log.iter().map(|(index, (entry, _))| (*index, entry.clone())).collect()
    }

    pub async fn save_snapshot(&self, generation: u64, meta: &SnapshotMeta, bytes: Bytes) -> Result<()> {
        self.write(generation, Write::Snapshot(Box::new(meta.clone()), bytes)).await
    }

    pub fn generation(&self) -> u64 {
        self.inner.lock().generation
    }

    async fn write(&self, generation: u64, write: Write) -> Result<()> {
        let is_append = matches!(write, Write::Append(..));
        while is_append && self.inner.lock().fault == Fault::Full {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (number, flush) = {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            if inner.generation != generation {
                return Err(failure("the server crashed"));
            }
            let flush = match inner.fault {
                Fault::None => Duration::from_micros(inner.random.random_range(100..3000)),
                Fault::Slow(flush) => flush,
                Fault::Full | Fault::Broken => return Err(failure("the disk is broken")),
            };
            inner.cached.apply(write.clone());
            inner.next += 1;
            inner.pending.insert(inner.next, write);
            (inner.next, flush)
        };
        tokio::time::sleep(flush).await;
        self.flush(generation, number)
    }

    fn flush(&self, generation: u64, upto: u64) -> Result<()> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        if inner.generation != generation {
            return Err(failure("the server crashed"));
        }
        let later = inner.pending.split_off(&(upto + 1));
        for (_, write) in std::mem::replace(&mut inner.pending, later) {
            inner.durable.apply(write);
        }
        Ok(())
    }
}

/// The disk as one run of a server uses it.
pub(crate) struct SimStore {
    disk: SimDisk,
    generation: u64,
}

impl SimStore {
    fn see<T>(&self, look: impl FnOnce(&Content) -> T) -> Result<T> {
        let inner = self.disk.inner.lock();
        match inner.generation == self.generation {
            true => Ok(look(&inner.cached)),
            false => Err(failure("the server crashed")),
        }
    }

    pub async fn append(&mut self, entries: &[Entry], committed: u64) -> Result<()> {
        self.disk.write(self.generation, Write::Append(entries.to_vec(), committed)).await
    }

    pub async fn read(&mut self, range: Range<u64>, limit: usize) -> Result<Vec<Entry>> {
        self.see(|content| {
            content.log.range(range).take(limit).map(|(_, (entry, _))| entry.clone()).collect()
        })
    }

    pub async fn last(&mut self) -> Result<Option<(LogId, u64)>> {
        self.see(|content| content.log.last_key_value().map(|(_, (entry, count))| (entry.log_id, *count)))
    }

    pub async fn log_id(&mut self, index: u64) -> Result<Option<LogId>> {
        self.see(|content| content.log.get(&index).map(|(entry, _)| entry.log_id))
    }

    pub async fn memberships(&mut self, limit: usize) -> Result<Vec<Entry>> {
        let mut newest: Vec<Entry> = self.see(|content| {
            let entries = content.log.values().rev().map(|(entry, _)| entry);
            let is_membership = |entry: &&Entry| matches!(entry.payload, EntryPayload::Membership(_));
            entries.filter(is_membership).take(limit).cloned().collect()
        })?;
        newest.reverse();
        Ok(newest)
    }

    pub async fn sizes(&mut self, last: u64, limit: u64) -> Result<Vec<(u64, u64)>> {
        self.see(|content| {
            content.log.range(..=last).rev().take(limit as usize).map(|(index, _)| (*index, 100)).collect()
        })
    }

    pub async fn truncate(&mut self, index: u64) -> Result<()> {
        self.disk.write(self.generation, Write::Truncate(index)).await
    }

    pub async fn remove_some(&mut self, index: u64, limit: u64) -> Result<bool> {
        let first = self.see(|content| content.log.first_key_value().map(|(first, _)| *first))?;
        let Some(first) = first.filter(|first| *first <= index) else { return Ok(false) };
        let until = index.min(first.saturating_add(limit));
        self.disk.write(self.generation, Write::Remove(until)).await?;
        Ok(until < index)
    }

    pub async fn load<T: DeserializeOwned>(&mut self, value: Value) -> Result<Option<T>> {
        let json = self.see(|content| content.values.get(value.key()).cloned())?;
        json.map(|json| serde_json::from_str(&json).map_err(|error| failure(&error.to_string()))).transpose()
    }

    pub async fn save(&mut self, value: Value, content: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(content).map_err(|error| failure(&error.to_string()))?;
        self.disk.write(self.generation, Write::Save(value.key(), json)).await
    }

    pub async fn close(self) -> Result<()> {
        Ok(())
    }
}

fn failure(text: &str) -> sqlx::Error {
    sqlx::Error::Protocol(text.to_owned())
}
