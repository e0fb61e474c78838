//! A lock that a limited number of processes can hold at a time.
//!
//! Every contender has a key of its own under the prefix, bound to its session; the key `.lock` beside them lists
//! the holders and is changed by compare-and-set only. A holder whose contender key is gone is dead and may be
//! struck off by anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keeper::SessionKeeper;
use super::lock::{Held, LockError, LockOptions, Patience};
use super::options::QueryOptions;
use super::{Client, ClientError};
use crate::json::{self, Unknown};
use crate::types::kv::KvPair;

/// Flags of keys that belong to a semaphore.
pub const SEMAPHORE_FLAGS: u64 = 0xe0f6_9a2b_aa41_4de0;

/// The value of `.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Holders {
    limit: u64,
    holders: BTreeMap<String, bool>,
}

impl Holders {
    fn from_entry(entry: &KvPair, limit: u64) -> Result<Self, LockError> {
        if entry.value.is_empty() {
            return Ok(Self { limit, holders: BTreeMap::new() });
        }
        json::from_slice(entry.value.as_slice(), Unknown::Ignore).map_err(LockError::BadEntry)
    }

    /// Keeps those whose contender key is bound to a session.
    fn prune(&mut self, lock_key: &[u8], pairs: &[KvPair]) {
        self.holders.retain(|holder, _| {
            pairs.iter().any(|pair| pair.key.as_slice() != lock_key && pair.session == *holder)
        });
    }
}

/// A prefix under which up to a number of sessions can hold a slot.
pub struct Semaphore {
    client: Client,
    prefix: String,
    limit: u64,
    options: LockOptions,
    /// Kept over a cancelled attempt, so that it can be closed.
    session: Option<SessionKeeper>,
}

impl Semaphore {
    /// `limit` slots under `prefix`; every user of a prefix must agree on the limit.
    pub fn new(client: Client, prefix: impl Into<String>, limit: u64, options: LockOptions) -> Self {
        Self { client, prefix: prefix.into(), limit, options, session: None }
    }

    /// The key that lists the holders.
    pub fn lock_key(&self) -> String {
        format!("{}/.lock", self.prefix)
    }

    fn contender_key(&self, session: &str) -> String {
        format!("{}/{session}", self.prefix)
    }

    /// Waits for a slot. None if the timeout passed first. If the future is dropped, call [`Self::abandon`] to free
    /// the session at once.
    pub async fn acquire(&mut self) -> Result<Option<Held>, LockError> {
        if self.session.is_none() {
            let session = self.options.session(&self.client, "delete").await?;
            let id = session.id().to_owned();
            self.session = Some(session);
            if let Err(error) = self.contend(&id).await {
                self.abandon().await;
                return Err(error);
            }
        }
        let id = self.session.as_ref().map(|session| session.id().to_owned()).unwrap_or_default();
        let mut patience = Patience::new(&self.options);
        let mut index = 0;
        loop {
            let Some(wait) = patience.next_wait() else {
                self.abandon().await;
                return Ok(None);
            };
            match self.attempt(&id, wait, &mut index).await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    self.abandon().await;
                    return Err(error);
                }
            }
        }
        let session = self.session.take().ok_or(LockError::SessionGone)?;
        let watch =
            monitor(self.client.clone(), self.prefix.clone(), self.lock_key(), id, self.options.clone());
        Ok(Some(Held::new(session, watch)))
    }

    async fn contend(&self, session: &str) -> Result<(), LockError> {
        let entry = KvPair {
            key: self.contender_key(session).into(),
            value: self.options.value.clone(),
            session: session.to_owned(),
            flags: SEMAPHORE_FLAGS,
            ..KvPair::default()
        };
        match self.client.kv().acquire(&entry, &self.options.write()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(LockError::Contender("refused".to_owned())),
            Err(error) => Err(LockError::Contender(error.to_string())),
        }
    }

    /// One round: reads the holders, strikes off the dead and enters us if there is room.
    async fn attempt(&self, session: &str, wait: Duration, index: &mut u64) -> Result<bool, LockError> {
        if self.session.as_ref().is_none_or(SessionKeeper::is_gone) {
            return Err(LockError::SessionGone);
        }
        let read = self.options.read(wait, *index);
        let found = self.client.kv().list(&self.prefix, &read).await.map_err(LockError::Read)?;
        let (entry, mut holders) = self.holders(&found.value)?;
        if holders.limit != self.limit {
            return Err(LockError::LimitConflict { theirs: holders.limit, ours: self.limit });
        }
        holders.prune(self.lock_key().as_bytes(), &found.value);
        if holders.holders.len() as u64 >= self.limit && !holders.holders.contains_key(session) {
            *index = found.meta.index;
            return Ok(false);
        }
        holders.holders.insert(session.to_owned(), true);
        // A failed compare means that another contender was faster: look again at once.
        *index = 0;
        self.write(entry.modify_index, &holders).await.map_err(LockError::Acquire)
    }

    /// The lock entry among `pairs`, or a new one.
    fn holders(&self, pairs: &[KvPair]) -> Result<(KvPair, Holders), LockError> {
        let lock_key = self.lock_key();
        let found = pairs.iter().find(|pair| pair.key.as_slice() == lock_key.as_bytes());
        let Some(entry) = found else {
            return Ok((KvPair::default(), Holders { limit: self.limit, ..Holders::default() }));
        };
        if entry.flags != SEMAPHORE_FLAGS {
            return Err(LockError::SemaphoreConflict);
        }
        Ok((entry.clone(), Holders::from_entry(entry, self.limit)?))
    }

    async fn write(&self, modify_index: u64, holders: &Holders) -> Result<bool, ClientError> {
        let entry = KvPair {
            key: self.lock_key().into(),
            value: json::to_vec(holders)?.into(),
            flags: SEMAPHORE_FLAGS,
            modify_index,
            ..KvPair::default()
        };
        self.client.kv().cas(&entry, &self.options.write()).await
    }

    /// Gives the slot back and ends its session, also if the slot was lost meanwhile.
    pub async fn release(&self, held: Held) -> Result<(), LockError> {
        let session = held.into_session();
        let released = self.strike_off(session.id()).await;
        let contender = self.contender_key(session.id());
        let removed = self.client.kv().delete(contender, &self.options.write()).await;
        // Ending the session removes the contender key, and with it the claim on a slot.
        let closed = session.close().await;
        match (released, removed, closed) {
            (Ok(()), _, _) | (Err(_), Ok(_), Ok(())) => Ok(()),
            (Err(error), _, _) => Err(error),
        }
    }

    async fn strike_off(&self, session: &str) -> Result<(), LockError> {
        let read = QueryOptions { datacenter: self.options.datacenter.clone(), ..QueryOptions::default() };
        loop {
            let found = self.client.kv().get(self.lock_key(), &read).await.map_err(LockError::Release)?;
            let Some(entry) = found.value else { return Ok(()) };
            if entry.flags != SEMAPHORE_FLAGS {
                return Err(LockError::SemaphoreConflict);
            }
            let mut holders = Holders::from_entry(&entry, self.limit)?;
            if holders.holders.remove(session).is_none() {
                return Ok(());
            }
            if self.write(entry.modify_index, &holders).await.map_err(LockError::Release)? {
                return Ok(());
            }
        }
    }

    /// Deletes the list of holders unless somebody holds a slot.
    pub async fn cleanup(&self) -> Result<(), LockError> {
        let read = QueryOptions { datacenter: self.options.datacenter.clone(), ..QueryOptions::default() };
        let found = self.client.kv().list(&self.prefix, &read).await.map_err(LockError::Read)?;
        let (entry, mut holders) = self.holders(&found.value)?;
        if entry.modify_index == 0 {
            return Ok(());
        }
        holders.prune(self.lock_key().as_bytes(), &found.value);
        if !holders.holders.is_empty() {
            return Err(LockError::InUse);
        }
        let write = self.options.write();
        let removed = self.client.kv().delete_cas(self.lock_key(), entry.modify_index, &write).await;
        match removed.map_err(LockError::Remove)? {
            true => Ok(()),
            false => Err(LockError::InUse),
        }
    }

    /// Ends the session of an attempt that was given up.
    pub async fn abandon(&mut self) {
        if let Some(session) = self.session.take() {
            // Its contender key goes with it; both expire if the agent cannot be reached.
            let _ = session.close().await;
        }
    }
}

/// Ends when the slot is not ours any more, or nobody can tell.
async fn monitor(client: Client, prefix: String, lock_key: String, session: String, options: LockOptions) {
    let mut index = 0;
    let mut retries = options.monitor_retries;
    loop {
        match client.kv().list(&prefix, &options.monitor(index)).await {
            Ok(found) => {
                let entry = found.value.iter().find(|pair| pair.key.as_slice() == lock_key.as_bytes());
                let holders = entry.and_then(|entry| Holders::from_entry(entry, 0).ok());
                let Some(mut holders) = holders else { return };
                holders.prune(lock_key.as_bytes(), &found.value);
                if !holders.holders.contains_key(&session) {
                    return;
                }
                retries = options.monitor_retries;
                index = found.meta.index;
            }
            Err(error) if retries > 0 && error.is_retryable() => {
                retries -= 1;
                index = 0;
                tokio::time::sleep(options.monitor_retry_pause).await;
            }
            Err(_) => return,
        }
    }
}
