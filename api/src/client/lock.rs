//! A lock that one process in the cluster holds at a time, on a key of the KV store.
//!
//! Other implementations of Consul clients lock the same way, so that they can wait for each other: the key is
//! acquired by a session, its flags mark it as a lock, and whoever waits does so with a blocking read.

use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::keeper::SessionKeeper;
use super::options::{Consistency, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::bytes::Blob;
use crate::types::duration::Nanoseconds;
use crate::types::kv::KvPair;
use crate::types::session::Session;

/// Flags of a key that is a lock: anything else under that name is not ours to touch.
pub const LOCK_FLAGS: u64 = 0x2ddc_cbc0_58a5_0c18;

/// After a refusal without a visible holder, which means that a lock delay runs.
const LOCK_DELAY_RETRY: Duration = Duration::from_secs(5);

/// Why a lock or semaphore cannot be had or given back.
#[derive(Debug, Error)]
pub enum LockError {
    #[error("Lock already held")]
    AlreadyHeld,
    #[error("Lock not held")]
    NotHeld,
    #[error("Lock in use")]
    InUse,
    #[error("Existing key does not match lock use")]
    LockConflict,
    #[error("Existing key does not match semaphore use")]
    SemaphoreConflict,
    #[error("semaphore limit conflict (lock: {theirs}, local: {ours})")]
    LimitConflict { theirs: u64, ours: u64 },
    #[error("invalid semaphore lock entry: {0}")]
    BadEntry(crate::json::DecodeError),
    /// The session ended before anything could be acquired with it.
    #[error("session is gone")]
    SessionGone,
    #[error("failed to create session: {0}")]
    Session(#[source] ClientError),
    #[error("failed to read lock: {0}")]
    Read(#[source] ClientError),
    #[error("failed to acquire lock: {0}")]
    Acquire(#[source] ClientError),
    #[error("failed to make contender entry: {0}")]
    Contender(String),
    #[error("failed to release lock: {0}")]
    Release(#[source] ClientError),
    #[error("failed to remove lock: {0}")]
    Remove(#[source] ClientError),
}

/// Settings of a lock or semaphore.
#[derive(Clone, Debug)]
pub struct LockOptions {
    /// Shown to operators in the list of sessions.
    pub session_name: String,
    /// How long a holder that vanished keeps others waiting, at least; servers allow 10 s to 24 h.
    pub session_ttl: Duration,
    /// How long nobody gets a lock whose holder was declared dead: it may still be at work.
    pub lock_delay: Duration,
    /// Written to the lock's key, or to the semaphore's contender key.
    pub value: Blob,
    /// How long one blocking read waits.
    pub wait: Duration,
    /// Give up after this; none waits for ever.
    pub timeout: Option<Duration>,
    /// How often in a row the agent may fail to answer before a held lock counts as lost.
    pub monitor_retries: u32,
    pub monitor_retry_pause: Duration,
    pub datacenter: Option<String>,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            session_name: "Consul API Lock".to_owned(),
            session_ttl: Duration::from_secs(15),
            lock_delay: Duration::from_secs(15),
            value: Blob::default(),
            wait: Duration::from_secs(15),
            timeout: None,
            monitor_retries: 0,
            monitor_retry_pause: Duration::from_secs(2),
            datacenter: None,
        }
    }
}

impl LockOptions {
    pub(super) fn write(&self) -> WriteOptions {
        WriteOptions { datacenter: self.datacenter.clone(), token: None }
    }

    pub(super) fn read(&self, wait: Duration, index: u64) -> QueryOptions {
        QueryOptions {
            datacenter: self.datacenter.clone(),
            wait: Some(wait),
            index,
            ..QueryOptions::default()
        }
    }

    /// Reads that watch over a held lock: a stale answer could hide that it is lost.
    pub(super) fn monitor(&self, index: u64) -> QueryOptions {
        QueryOptions {
            datacenter: self.datacenter.clone(),
            consistency: Consistency::Consistent,
            index,
            ..QueryOptions::default()
        }
    }

    pub(super) async fn session(&self, client: &Client, behavior: &str) -> Result<SessionKeeper, LockError> {
        let session = Session {
            name: self.session_name.clone(),
            behavior: behavior.to_owned(),
            lock_delay: Nanoseconds(i64::try_from(self.lock_delay.as_nanos()).unwrap_or(i64::MAX)),
            ..Session::default()
        };
        SessionKeeper::create(client, &session, self.session_ttl, self.write())
            .await
            .map_err(LockError::Session)
    }
}

/// How long to wait, over all attempts.
pub(super) struct Patience {
    started: Instant,
    timeout: Option<Duration>,
    wait: Duration,
    attempts: u32,
}

impl Patience {
    pub fn new(options: &LockOptions) -> Self {
        Self { started: Instant::now(), timeout: options.timeout, wait: options.wait, attempts: 0 }
    }

    /// How long the next read may wait, or none if time is up. There always is a first attempt.
    pub fn next_wait(&mut self) -> Option<Duration> {
        let first = self.attempts == 0;
        self.attempts += 1;
        let Some(timeout) = self.timeout else { return Some(self.wait) };
        let left = timeout.saturating_sub(self.started.elapsed());
        if left.is_zero() && !first {
            return None;
        }
        Some(left.min(self.wait))
    }
}

/// A lock that is held. It is lost when [`Held::lost`] says so; nothing else tells.
pub struct Held {
    session: SessionKeeper,
    monitor: JoinHandle<()>,
    lost: Option<oneshot::Receiver<()>>,
}

impl Held {
    pub(super) fn new(session: SessionKeeper, watch: impl Future<Output = ()> + Send + 'static) -> Self {
        let mut gone = session.gone();
        let (report, lost) = oneshot::channel();
        let monitor = tokio::spawn(async move {
            tokio::select! {
                () = watch => {}
                _ = gone.wait_for(|gone| *gone) => {}
            }
            // Nobody listening is fine: the holder may have released meanwhile.
            let _ = report.send(());
        });
        Self { session, monitor, lost: Some(lost) }
    }

    pub fn session_id(&self) -> &str {
        self.session.id()
    }

    /// Ends when the lock is lost. Safe to drop and call again.
    pub async fn lost(&mut self) {
        if let Some(lost) = &mut self.lost {
            let _ = lost.await;
            self.lost = None;
        }
    }

    pub(super) fn into_session(self) -> SessionKeeper {
        self.monitor.abort();
        self.session
    }
}

/// One key that one session can hold.
pub struct Lock {
    client: Client,
    key: String,
    options: LockOptions,
    /// Kept over a cancelled attempt, so that it can be closed.
    session: Option<SessionKeeper>,
}

impl Lock {
    /// `key` is the lock itself; the `lock` command appends `/.lock` to what users give.
    pub fn new(client: Client, key: impl Into<String>, options: LockOptions) -> Self {
        Self { client, key: key.into(), options, session: None }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Waits until the lock is ours. None if the timeout passed first. If the future is dropped, call
    /// [`Self::abandon`] to free the session at once.
    pub async fn acquire(&mut self) -> Result<Option<Held>, LockError> {
        if self.session.is_none() {
            self.session = Some(self.options.session(&self.client, "release").await?);
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
        let watch = monitor(self.client.clone(), self.key.clone(), id, self.options.clone());
        Ok(Some(Held::new(session, watch)))
    }

    /// One round: waits for the key to be free, then tries to take it.
    async fn attempt(&self, session: &str, wait: Duration, index: &mut u64) -> Result<bool, LockError> {
        if self.session.as_ref().is_none_or(SessionKeeper::is_gone) {
            return Err(LockError::SessionGone);
        }
        let read = self.options.read(wait, *index);
        let found = self.client.kv().get(&self.key, &read).await.map_err(LockError::Read)?;
        if let Some(pair) = &found.value {
            if pair.flags != LOCK_FLAGS {
                return Err(LockError::LockConflict);
            }
            if pair.session == session {
                return Ok(true);
            }
            if !pair.session.is_empty() {
                *index = found.meta.index;
                return Ok(false);
            }
        }
        let entry = self.entry(session);
        let write = self.options.write();
        if self.client.kv().acquire(&entry, &write).await.map_err(LockError::Acquire)? {
            return Ok(true);
        }
        // Either somebody was faster, or the key is free but under a lock delay.
        let read = self.options.read(wait, 0);
        let found = self.client.kv().get(&self.key, &read).await.map_err(LockError::Read)?;
        if found.value.is_some_and(|pair| !pair.session.is_empty()) {
            *index = found.meta.index;
        } else {
            *index = 0;
            tokio::time::sleep(LOCK_DELAY_RETRY.min(wait.max(Duration::from_millis(100)))).await;
        }
        Ok(false)
    }

    fn entry(&self, session: &str) -> KvPair {
        KvPair {
            key: self.key.as_str().into(),
            value: self.options.value.clone(),
            session: session.to_owned(),
            flags: LOCK_FLAGS,
            ..KvPair::default()
        }
    }

    /// Frees the lock and ends its session, also if the lock was lost meanwhile.
    pub async fn release(&self, held: Held) -> Result<(), LockError> {
        let session = held.into_session();
        let entry = self.entry(session.id());
        let released = self.client.kv().release(&entry, &self.options.write()).await;
        // Ending the session frees the lock too, should the release have failed.
        let closed = session.close().await;
        released.map(|_| ()).or(closed).map_err(LockError::Release)
    }

    /// Deletes the key unless somebody holds it.
    pub async fn cleanup(&self) -> Result<(), LockError> {
        let read = QueryOptions { datacenter: self.options.datacenter.clone(), ..QueryOptions::default() };
        let found = self.client.kv().get(&self.key, &read).await.map_err(LockError::Read)?;
        let Some(pair) = found.value else { return Ok(()) };
        if pair.flags != LOCK_FLAGS {
            return Err(LockError::LockConflict);
        }
        if !pair.session.is_empty() {
            return Err(LockError::InUse);
        }
        let write = self.options.write();
        let removed = self.client.kv().delete_cas(&self.key, pair.modify_index, &write).await;
        match removed.map_err(LockError::Remove)? {
            true => Ok(()),
            false => Err(LockError::InUse),
        }
    }

    /// Ends the session of an attempt that was given up.
    pub async fn abandon(&mut self) {
        if let Some(session) = self.session.take() {
            // It expires by itself if the agent cannot be reached.
            let _ = session.close().await;
        }
    }
}

/// Ends when the lock is not ours any more, or nobody can tell.
async fn monitor(client: Client, key: String, session: String, options: LockOptions) {
    let mut index = 0;
    let mut retries = options.monitor_retries;
    loop {
        match client.kv().get(&key, &options.monitor(index)).await {
            Ok(found) => {
                if found.value.is_none_or(|pair| pair.session != session) {
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
