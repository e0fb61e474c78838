//! Just enough of an agent's KV store and sessions to lock on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::server::{Reply, Seen, indexed, reply};
use crate::json;
use crate::types::kv::KvPair;

#[derive(Clone)]
pub struct Store {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct State {
    index: u64,
    pairs: BTreeMap<String, KvPair>,
    /// Behavior by id.
    sessions: BTreeMap<String, String>,
    /// Answers to give as failures before working again.
    failures: u32,
}

impl Store {
    pub fn new() -> Self {
        let state = Arc::new(Mutex::new(State { index: 1, ..State::default() }));
        Self { state, changed: Arc::new(watch::channel(1).0) }
    }

    pub fn pair(&self, key: &str) -> Option<KvPair> {
        self.state.lock().unwrap().pairs.get(key).cloned()
    }

    pub fn keys(&self) -> Vec<String> {
        self.state.lock().unwrap().pairs.keys().cloned().collect()
    }

    pub fn sessions(&self) -> usize {
        self.state.lock().unwrap().sessions.len()
    }

    /// The next requests fail with 500.
    pub fn fail(&self, times: u32) {
        self.state.lock().unwrap().failures = times;
    }

    pub fn put(&self, key: &str, pair: KvPair) {
        self.change(|state| {
            let index = state.index;
            state.pairs.insert(key.to_owned(), KvPair { key: key.into(), modify_index: index, ..pair });
            true
        });
    }

    /// What a server does when a session expires.
    pub fn invalidate(&self, id: &str) {
        self.change(|state| {
            let behavior = state.sessions.remove(id).unwrap_or_default();
            let index = state.index;
            if behavior == "delete" {
                state.pairs.retain(|_, pair| pair.session != id);
            }
            for pair in state.pairs.values_mut().filter(|pair| pair.session == id) {
                pair.session.clear();
                pair.modify_index = index;
            }
            true
        });
    }

    fn change(&self, apply: impl FnOnce(&mut State) -> bool) -> bool {
        let mut state = self.state.lock().unwrap();
        state.index += 1;
        let outcome = apply(&mut state);
        self.changed.send_replace(state.index);
        outcome
    }

    pub async fn answer(self, request: Seen) -> Reply {
        {
            let mut state = self.state.lock().unwrap();
            if state.failures > 0 {
                state.failures -= 1;
                return reply(500, "No cluster leader");
            }
        }
        let path = percent_encoding::percent_decode_str(request.path()).decode_utf8_lossy().into_owned();
        if let Some(key) = path.strip_prefix("/v1/kv/") {
            return match request.method.as_str() {
                "GET" => self.read(key, &request).await,
                "PUT" => self.write(key, &request),
                _ => self.delete(key, &request),
            };
        }
        if path == "/v1/session/create" {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let mut state = self.state.lock().unwrap();
            state.index += 1;
            let id = format!("session-{}", state.index);
            state.sessions.insert(id.clone(), body["Behavior"].as_str().unwrap_or_default().to_owned());
            return reply(200, format!("{{\"ID\":\"{id}\"}}"));
        }
        if let Some(id) = path.strip_prefix("/v1/session/destroy/") {
            self.invalidate(id);
            return reply(200, "true");
        }
        if let Some(id) = path.strip_prefix("/v1/session/renew/") {
            let known = self.state.lock().unwrap().sessions.contains_key(id);
            return if known { reply(200, format!("[{{\"ID\":\"{id}\"}}]")) } else { reply(404, "gone") };
        }
        reply(404, "")
    }

    async fn read(&self, key: &str, request: &Seen) -> Reply {
        let after: u64 = request.param("index").map_or(0, |index| index.parse().unwrap());
        let mut changed = self.changed.subscribe();
        // Tests never wait long: an answer without a change is a valid one.
        let _ =
            tokio::time::timeout(Duration::from_millis(300), changed.wait_for(|index| *index > after)).await;
        let state = self.state.lock().unwrap();
        let recurse = request.param("recurse").is_some();
        let matches = |name: &String| if recurse { name.starts_with(key) } else { name == key };
        let found: Vec<&KvPair> =
            state.pairs.iter().filter(|(name, _)| matches(name)).map(|(_, pair)| pair).collect();
        let status = if found.is_empty() { 404 } else { 200 };
        indexed(status, state.index, json::to_vec(&found).unwrap())
    }

    fn write(&self, key: &str, request: &Seen) -> Reply {
        let number = |name: &str| request.param(name).map(|text| text.parse::<u64>().unwrap());
        let (acquire, release, cas) = (request.param("acquire"), request.param("release"), number("cas"));
        let written = self.change(|state| {
            let old = state.pairs.get(key).cloned().unwrap_or_default();
            let mut new = KvPair {
                key: key.into(),
                value: request.body.to_vec().into(),
                flags: number("flags").unwrap_or(0),
                modify_index: state.index,
                ..old.clone()
            };
            if let Some(session) = acquire {
                if !state.sessions.contains_key(&session) || !["", &session].contains(&old.session.as_str()) {
                    return false;
                }
                new.session = session;
            } else if let Some(session) = release {
                if old.session != session {
                    return false;
                }
                new.session.clear();
            } else if cas.is_some_and(|index| index != old.modify_index) {
                return false;
            }
            state.pairs.insert(key.to_owned(), new);
            true
        });
        reply(200, written.to_string())
    }

    fn delete(&self, key: &str, request: &Seen) -> Reply {
        let cas: Option<u64> = request.param("cas").map(|index| index.parse().unwrap());
        let deleted = self.change(|state| {
            let found = state.pairs.get(key).map_or(0, |pair| pair.modify_index);
            if cas.is_some_and(|index| index != found) {
                return false;
            }
            state.pairs.remove(key);
            true
        });
        reply(200, deleted.to_string())
    }
}
