//! What is watched: asks for it, and tells when the answer is new.

use std::sync::Arc;
use std::time::Duration;

use consul_acl::{Access, Resource};
use consul_api::types::StringMap;
use consul_api::types::bytes::{Blob, Key};
use consul_api::types::event::UserEvent;
use consul_api::types::kv::KvPair;
use consul_state::catalog::Lookup;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::definition::Watch;
use crate::agent::Agent;
use crate::events;
use crate::http::view::{ChecksView, InstanceView};
use crate::rpc::catalog::{HealthWanted, NodeList, ServiceInstances, ServiceNames};
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::kv::{KvGet, KvList};
use crate::rpc::remote::RemoteRead;
use crate::rpc::{Consistency, ReadOptions, RpcError};

#[derive(Clone, Debug)]
pub enum Subject {
    Key(String),
    KeyPrefix(String),
    Services,
    Nodes,
    Service {
        service: String,
        tags: Vec<String>,
        passing_only: bool,
    },
    Checks(ChecksWanted),
    /// All events if the name is empty.
    Event {
        name: String,
    },
}

#[derive(Clone, Debug)]
pub enum ChecksWanted {
    OfService(String),
    InState(String),
}

/// What handlers are told: an index and a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub index: u64,
    pub json: Vec<u8>,
}

/// What one watch has seen so far.
#[derive(Default)]
pub struct Progress {
    /// `None` until the first answer: whatever that is, it is news.
    index: Option<u64>,
    /// Hash of the last answer: answers may be large.
    digest: Option<[u8; 32]>,
}

impl Progress {
    /// The next question is answered at once.
    pub fn forget_index(&mut self) {
        self.index = self.index.map(|_| 0);
    }

    /// The answer, if it is one that the handler has not seen.
    fn take_in(&mut self, index: u64, json: Vec<u8>) -> Option<Change> {
        if self.index == Some(index) {
            return None;
        }
        // An index that runs backwards belongs to a state that was replaced: start anew.
        self.index = Some(if self.index.is_some_and(|before| before > index) { 0 } else { index });
        let digest: [u8; 32] = Sha256::digest(&json).into();
        if self.digest.replace(digest) == Some(digest) {
            return None;
        }
        Some(Change { index, json })
    }
}

impl Subject {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::KeyPrefix(_) => "keyprefix",
            Self::Services => "services",
            Self::Nodes => "nodes",
            Self::Service { .. } => "service",
            Self::Checks(_) => "checks",
            Self::Event { .. } => "event",
        }
    }

    /// Waits for the next answer; `None` if it tells nothing new.
    pub async fn next(
        &self,
        agent: &Arc<Agent>,
        watch: &Watch,
        progress: &mut Progress,
    ) -> Result<Option<Change>, RpcError> {
        let options = ReadOptions {
            datacenter: watch.datacenter.clone(),
            token: agent.token_or_own(watch.token.clone()),
            consistency: if watch.stale { Consistency::Stale { max: None } } else { Consistency::Default },
            min_index: progress.index.unwrap_or(0),
            max_wait: wait(agent),
            ..ReadOptions::default()
        };
        let options = &options;
        let (index, json) = match self {
            Self::Event { name } => return next_event(agent, watch, name, progress).await,
            Self::Key(key) => {
                let read = KvGet { key: key.as_bytes().into() };
                ask(agent, &read, options, |entry| encode(&entry.as_deref().map(Entry::from))).await?
            }
            Self::KeyPrefix(prefix) => {
                let read = KvList { prefix: prefix.as_bytes().into() };
                ask(agent, &read, options, |entries| {
                    encode(&entries.iter().map(|entry| Entry::from(&**entry)).collect::<Vec<_>>())
                })
                .await?
            }
            Self::Services => {
                let read = ServiceNames { node_meta: StringMap::default() };
                ask(agent, &read, options, encode).await?
            }
            Self::Nodes => {
                let read = NodeList { node_meta: StringMap::default(), near: String::new() };
                ask(agent, &read, options, encode).await?
            }
            Self::Service { service, tags, passing_only } => {
                let read = ServiceInstances {
                    lookup: Lookup::Service,
                    tags: tags.clone(),
                    health: if *passing_only { HealthWanted::Passing } else { HealthWanted::Any },
                    ..ServiceInstances::named(service.clone())
                };
                ask(agent, &read, options, |rows| encode(&rows.iter().map(InstanceView).collect::<Vec<_>>()))
                    .await?
            }
            Self::Checks(wanted) => {
                let of = match wanted {
                    ChecksWanted::OfService(service) => ChecksOf::Service(service.clone()),
                    ChecksWanted::InState(state) => ChecksOf::State(state.clone()),
                };
                let read = CheckList { of, node_meta: StringMap::default(), near: String::new() };
                ask(agent, &read, options, |checks| encode(&ChecksView(checks))).await?
            }
        };
        Ok(progress.take_in(index, json))
    }
}

async fn ask<R: RemoteRead>(
    agent: &Agent,
    read: &R,
    options: &ReadOptions,
    encode: impl FnOnce(&R::Reply) -> Vec<u8>,
) -> Result<(u64, Vec<u8>), RpcError> {
    let (meta, reply) = agent.read(read, options).await?;
    Ok((meta.index.max(1), encode(&reply)))
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // These types have text keys and no other reason to fail.
    consul_api::json::to_vec(value).unwrap_or_default()
}

fn wait(agent: &Agent) -> Duration {
    let limits = agent.wait_limits();
    limits.default.min(limits.max)
}

/// The first answer holds all events that are kept, later ones only those that are new.
async fn next_event(
    agent: &Arc<Agent>,
    watch: &Watch,
    name: &str,
    progress: &mut Progress,
) -> Result<Option<Change>, RpcError> {
    let authorizer = agent.authorize(&agent.token_or_own(watch.token.clone()))?;
    let mut seen = agent.events.subscribe();
    loop {
        let mut list = agent.events.list((!name.is_empty()).then_some(name));
        list.retain(|event| authorizer.allows(Resource::Event(&event.name), Access::Read));
        let index = events::index_of(&list);
        if progress.index != Some(index) {
            let news = newer_than(&list, progress.index);
            progress.index = Some(index);
            return Ok(Some(Change { index, json: encode(news) }));
        }
        if seen.changed().await.is_err() {
            return Ok(None);
        }
    }
}

/// The events after the one with that index; all if it is gone.
fn newer_than(events: &[UserEvent], index: Option<u64>) -> &[UserEvent] {
    let Some(index) = index else { return events };
    let at = events.iter().position(|event| events::index_of(std::slice::from_ref(event)) == index);
    at.and_then(|at| events.get(at + 1..)).unwrap_or(events)
}

/// An entry as Go's client prints it, session always included.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    key: &'a Key,
    create_index: u64,
    modify_index: u64,
    lock_index: u64,
    flags: u64,
    value: &'a Blob,
    session: &'a str,
}

impl<'a> From<&'a KvPair> for Entry<'a> {
    fn from(entry: &'a KvPair) -> Self {
        Self {
            key: &entry.key,
            create_index: entry.create_index,
            modify_index: entry.modify_index,
            lock_index: entry.lock_index,
            flags: entry.flags,
            value: &entry.value,
            session: &entry.session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_is_news_even_if_there_is_nothing() {
        let mut progress = Progress::default();
        assert_eq!(progress.take_in(1, b"null".to_vec()), Some(Change { index: 1, json: b"null".to_vec() }));
        assert_eq!(progress.take_in(1, b"null".to_vec()), None);
    }

    #[test]
    fn writes_that_change_nothing_watched_are_not_told() {
        let mut progress = Progress::default();
        progress.take_in(5, b"[1]".to_vec());
        assert_eq!(progress.take_in(6, b"[1]".to_vec()), None);
        assert_eq!(progress.take_in(7, b"[2]".to_vec()).map(|change| change.index), Some(7));
    }

    #[test]
    fn an_index_that_runs_backwards_starts_anew() {
        let mut progress = Progress::default();
        progress.take_in(9, b"[1]".to_vec());
        assert_eq!(progress.take_in(3, b"[2]".to_vec()).map(|change| change.index), Some(3));
        assert_eq!(progress.index, Some(0));
    }

    #[test]
    fn later_answers_hold_only_newer_events() {
        let event = |id: &str| UserEvent { id: id.into(), ..UserEvent::default() };
        let list =
            [event("00000000-0000-0001-0000-000000000000"), event("00000000-0000-0002-0000-000000000000")];
        assert_eq!(newer_than(&list, None).len(), 2);
        assert_eq!(newer_than(&list, Some(1)), &list[1..]);
        assert_eq!(newer_than(&list, Some(77)).len(), 2);
    }
}
