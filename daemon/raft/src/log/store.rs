//! Where the log is written: a file, or in tests a simulated disk that forgets what was not flushed.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Result;
use super::database::{Database, Value};
#[cfg(test)]
use crate::sim::disk::SimStore;
use crate::types::{Entry, LogId};

pub(crate) enum Store {
    Sqlite(Database),
    #[cfg(test)]
    Simulated(SimStore),
}

/// Both kinds have the same methods, and each promises the same: a write that returned is there after a crash.
macro_rules! each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Store::Sqlite($store) => $call,
            #[cfg(test)]
            Store::Simulated($store) => $call,
        }
    };
}

impl Store {
    pub async fn append(&mut self, entries: &[Entry], committed: u64) -> Result<()> {
        each!(self, store => store.append(entries, committed).await)
    }

    pub async fn read(&mut self, range: Range<u64>, limit: usize) -> Result<Vec<Entry>> {
        each!(self, store => store.read(range, limit).await)
    }

    pub async fn last(&mut self) -> Result<Option<(LogId, u64)>> {
        each!(self, store => store.last().await)
    }

    pub async fn log_id(&mut self, index: u64) -> Result<Option<LogId>> {
        each!(self, store => store.log_id(index).await)
    }

    pub async fn memberships(&mut self, limit: usize) -> Result<Vec<Entry>> {
        each!(self, store => store.memberships(limit).await)
    }

    pub async fn sizes(&mut self, last: u64, limit: u64) -> Result<Vec<(u64, u64)>> {
        each!(self, store => store.sizes(last, limit).await)
    }

    pub async fn truncate(&mut self, index: u64) -> Result<()> {
        each!(self, store => store.truncate(index).await)
    }

    pub async fn remove_some(&mut self, index: u64, limit: u64) -> Result<bool> {
        each!(self, store => store.remove_some(index, limit).await)
    }

    pub async fn load<T: DeserializeOwned>(&mut self, value: Value) -> Result<Option<T>> {
        each!(self, store => store.load(value).await)
    }

    pub async fn save(&mut self, value: Value, content: &impl Serialize) -> Result<()> {
        each!(self, store => store.save(value, content).await)
    }

    pub async fn close(self) -> Result<()> {
        each!(self, store => store.close().await)
    }
}
