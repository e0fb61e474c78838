//! Standing for one template: leading if its key is ours, following whoever else holds it.

use std::time::Duration;

use consul_api::client::lock::LOCK_FLAGS;
use consul_api::client::retry::Backoff;
use consul_api::client::watch::IndexTracker;
use consul_api::client::{Client, ClientError, Consistency, QueryOptions, WriteOptions};
use consul_api::types::kv::KvPair;
use tokio::sync::watch;

use super::payload::{self, NO_DATA};
use super::{Publication, Shared};
use crate::config::DedupSettings;
use crate::core::Role;

/// An instance tries for a free key within this time, at random.
const CANDIDACY: Duration = Duration::from_secs(1);
/// After a try that failed although nobody holds the key.
const RETRY: Duration = Duration::from_secs(10);
/// Waits for data are cut to this while we lead, so that a lost lock is noticed.
const LEADER_WAIT: Duration = Duration::from_secs(15);

/// What stands for one template.
pub struct Candidate<R> {
    pub client: Client,
    pub settings: DedupSettings,
    pub template: usize,
    pub key: String,
    pub session: watch::Receiver<Option<String>>,
    pub publication: watch::Receiver<Publication>,
    pub report: R,
}

impl<R: Fn(Shared) + Send + Sync> Candidate<R> {
    /// Until nobody keeps a session any more.
    pub async fn stand(self) {
        let mut sessions = self.session.clone();
        let mut index = IndexTracker::default();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let mut role = Role::Follower;
        let mut followed = Vec::new();
        loop {
            let ours = sessions.borrow_and_update().clone();
            let found = tokio::select! {
                found = self.read(index.request_index(), role) => found,
                changed = sessions.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // Who holds the key has to be judged anew.
                    index.reset();
                    continue;
                }
            };
            let pair = match found {
                Ok((pair, at)) => {
                    backoff.succeeded();
                    index.observe(at);
                    pair
                }
                Err(error) => {
                    let pause = backoff.failed();
                    tracing::warn!(target: "dedup", "could not read {}: {error} (retry after {pause:?})", self.key);
                    index.reset();
                    tokio::time::sleep(pause).await;
                    continue;
                }
            };
            let holder = pair.as_ref().map(|pair| pair.session.as_str()).filter(|id| !id.is_empty());
            match (holder, &ours) {
                (Some(holder), Some(ours)) if holder == ours => {
                    self.change(&mut role, Role::Leader);
                    if self.lead(ours).await.is_err() {
                        self.change(&mut role, Role::Follower);
                        index.reset();
                    }
                }
                (Some(_), _) => {
                    self.change(&mut role, Role::Follower);
                    self.follow(pair.as_ref(), &mut followed);
                }
                (None, Some(ours)) => {
                    self.change(&mut role, Role::Follower);
                    tokio::time::sleep(CANDIDACY.mul_f64(rand::random_range(0.0..1.0))).await;
                    index.reset();
                    match self.acquire(ours, NO_DATA.to_vec()).await {
                        Ok(true) => {}
                        Ok(false) => tokio::time::sleep(self.pause_after_refusal().await).await,
                        Err(error) => {
                            let pause = backoff.failed();
                            tracing::warn!(target: "dedup", "could not lock {}: {error} (retry after {pause:?})", self.key);
                            tokio::time::sleep(pause).await;
                        }
                    }
                }
                // Without a session there is nothing to stand with; the next one is told of above.
                (None, None) => self.change(&mut role, Role::Follower),
            }
        }
    }

    fn change(&self, role: &mut Role, now: Role) {
        if *role != now {
            tracing::info!(target: "dedup", "{now:?} for {}", self.key);
            *role = now;
            (self.report)(Shared::Role { template: self.template, role: now });
        }
    }

    /// The key and its index. A leader must not be told from an old state that it still leads.
    async fn read(&self, index: u64, role: Role) -> Result<(Option<KvPair>, u64), ClientError> {
        let leading = role == Role::Leader;
        let stale = !leading && !self.settings.max_stale.is_zero();
        let wait = self.settings.block_query_wait;
        let wait = if leading { wait.min(LEADER_WAIT) } else { wait };
        let ask =
            |consistency, index| QueryOptions { consistency, ..QueryOptions::default() }.after(index, wait);
        let consistency = if stale { Consistency::Stale } else { Consistency::Default };
        let mut found = self.client.kv().get(&self.key, &ask(consistency, index)).await?;
        if stale && found.meta.last_contact > self.settings.max_stale {
            found = self.client.kv().get(&self.key, &ask(Consistency::Default, 0)).await?;
        }
        Ok((found.value, found.meta.index))
    }

    /// Publishes until the lock is lost or the session changes; the error says that it has to be judged anew.
    async fn lead(&self, session: &str) -> Result<(), ()> {
        let (mut sessions, mut publication) = (self.session.clone(), self.publication.clone());
        let mut published: Vec<u8> = Vec::new();
        publication.mark_changed();
        let lost = async {
            tokio::select! {
                _ = sessions.wait_for(|id| id.as_deref() != Some(session)) => {}
                () = self.lost(session) => {}
            }
        };
        tokio::pin!(lost);
        loop {
            tokio::select! {
                changed = publication.changed() => {
                    if changed.is_err() {
                        return Err(());
                    }
                    let data = publication.borrow_and_update().clone();
                    let Some(data) = data else { continue };
                    self.publish(session, &data, &mut published).await?;
                }
                () = &mut lost => return Err(()),
            }
        }
    }

    async fn publish(
        &self,
        session: &str,
        data: &[(consul_template_functions::Dependency, consul_template_functions::Data)],
        published: &mut Vec<u8>,
    ) -> Result<(), ()> {
        let packed = match payload::encode(data) {
            Ok(packed) => packed,
            Err(error) => {
                tracing::error!(target: "dedup", "could not pack the data of {}: {error}", self.key);
                return Ok(());
            }
        };
        if packed == *published {
            return Ok(());
        }
        match self.acquire(session, packed.clone()).await {
            Ok(true) => {
                *published = packed;
                Ok(())
            }
            Ok(false) => Err(()),
            Err(error) => {
                tracing::error!(target: "dedup", "could not publish {}: {error}", self.key);
                // The lock goes to somebody for whom it works, if it does for anybody.
                tokio::time::sleep(RETRY.mul_f64(rand::random_range(0.1..0.5))).await;
                self.publication_again(error.status())
            }
        }
    }

    /// What is too large stays too large; anything else may work next time.
    fn publication_again(&self, status: Option<u16>) -> Result<(), ()> {
        if status == Some(413) { Ok(()) } else { Err(()) }
    }

    /// Ends when the lock is not ours any more.
    async fn lost(&self, session: &str) {
        let mut index = 0;
        loop {
            match self.read(index, Role::Leader).await {
                Ok((pair, at)) => {
                    if pair.is_none_or(|pair| pair.session != session) {
                        return;
                    }
                    index = at.max(1);
                }
                // The session tells whether it outlived the trouble.
                Err(_) => tokio::time::sleep(Duration::from_secs(3)).await,
            }
        }
    }

    fn follow(&self, pair: Option<&KvPair>, followed: &mut Vec<u8>) {
        let Some(pair) = pair else { return };
        let value = pair.value.as_slice();
        if value == NO_DATA || value == followed.as_slice() {
            return;
        }
        if pair.flags != LOCK_FLAGS {
            tracing::warn!(target: "dedup", "{} holds something that is not ours; ignoring it", self.key);
            return;
        }
        match payload::decode(value) {
            Ok(data) => (self.report)(Shared::Data { template: self.template, data }),
            Err(error) => tracing::warn!(target: "dedup", "ignoring the data in {}: {error}", self.key),
        }
        *followed = value.to_vec();
    }

    /// Locks the key and writes its value; one that is ours already only gets the value, and one that another session
    /// holds is left alone.
    async fn acquire(&self, session: &str, value: Vec<u8>) -> Result<bool, ClientError> {
        let pair = KvPair {
            key: self.key.as_str().into(),
            value: value.into(),
            flags: LOCK_FLAGS,
            session: session.to_owned(),
            ..KvPair::default()
        };
        self.client.kv().acquire(&pair, &WriteOptions::default()).await
    }

    /// Nothing if somebody else was faster, which the next read tells; a while if the key is free all the same.
    async fn pause_after_refusal(&self) -> Duration {
        match self.read(0, Role::Leader).await {
            Ok((Some(pair), _)) if !pair.session.is_empty() => Duration::ZERO,
            _ => RETRY.mul_f64(rand::random_range(0.1..1.0)),
        }
    }
}
