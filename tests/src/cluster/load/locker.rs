//! A client that takes a lock, holds it a while and gives it back.

use std::rc::Rc;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;

use super::{Entry, Sent, Server, Shared};
use crate::linearizability::Operation;
use crate::linearizability::lock::{Held, Holder, Input};

const PAUSE_MS: u64 = 40;
/// A lock is retired after so many operations, as registers are.
const OPERATIONS_PER_LOCK: usize = 200;

pub async fn work(shared: Rc<Shared>, id: usize, mut rng: StdRng) {
    let mut locker = Locker { shared: shared.clone(), id, session: None };
    while !shared.stopped.get() {
        locker.round(&mut rng).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..=PAUSE_MS))).await;
    }
}

struct Locker {
    shared: Rc<Shared>,
    id: usize,
    session: Option<Session>,
}

#[derive(Clone, Debug)]
struct Session {
    id: String,
    holder: Holder,
}

impl Locker {
    async fn round(&mut self, rng: &mut StdRng) {
        let Some(session) = self.session(rng).await else { return };
        let shared = self.shared.clone();
        let key = shared.book.borrow_mut().lock_in_use(OPERATIONS_PER_LOCK);
        let path = format!("/v1/kv/{key}?acquire={}", session.id);
        let granted = self.send(any(&shared, rng), &key, Input::Acquire(session.holder), &path).await;
        if granted == Some(false) {
            return;
        }
        if granted == Some(true) {
            self.hold(&key, &session, rng).await;
            let path = format!("/v1/kv/{key}?release={}", session.id);
            if self.send(any(&shared, rng), &key, Input::Release(session.holder), &path).await.is_some() {
                return;
            }
        }
        // A request without an answer may take effect when this client holds the lock the next time. It cannot once
        // its session is gone.
        self.session = None;
        let path = format!("/v1/session/destroy/{}", session.id);
        while self.send(any(&shared, rng), &key, Input::End(session.holder), &path).await.is_none() {
            if shared.stopped.get() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(50..150))).await;
        }
    }

    /// Reads the fence that a protected resource would be given, and stays a while.
    async fn hold(&mut self, key: &str, session: &Session, rng: &mut StdRng) {
        let from = self.shared.now();
        let path = format!("/v1/kv/{key}?consistent");
        let sent = self.shared.send(any(&self.shared, rng), Method::GET, &path, String::new()).await;
        let entry = if let Sent::Answer(reply) = sent { Entry::of(&reply) } else { None };
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..=PAUSE_MS))).await;
        let Some(entry) = entry else { return };
        let mut book = self.shared.book.borrow_mut();
        if entry.session != session.id {
            book.robbed.push(format!("client {} holds {key}, but {:?} stands in it", self.id, entry.session));
        }
        let until = self.shared.now();
        let held = Held { holder: session.holder, from, until, fence: entry.lock_index };
        book.held.entry(key.to_owned()).or_default().push(held);
    }

    async fn send(&self, server: &Server, key: &str, input: Input, path: &str) -> Option<bool> {
        let invoked = self.shared.now();
        let answer = match self.shared.send(server, Method::PUT, path, String::new()).await {
            Sent::Answer(reply) => Some(reply.text().trim() == "true"),
            Sent::Refused => return None,
            Sent::Unknown => None,
        };
        let outcome = answer.map(|granted| (self.shared.now(), granted));
        let operation = Operation { client: self.id, input, invoked, outcome };
        self.shared.book.borrow_mut().locks.entry(key.to_owned()).or_default().push(operation);
        answer
    }

    /// A session that ends with nobody's health and at no time.
    async fn session(&mut self, rng: &mut StdRng) -> Option<Session> {
        if self.session.is_none() {
            let body = r#"{"LockDelay": "0s", "Checks": []}"#.to_owned();
            let server = any(&self.shared, rng);
            let sent = self.shared.send(server, Method::PUT, "/v1/session/create", body).await;
            if let Sent::Answer(reply) = sent {
                let id = reply.json()["ID"].as_str().unwrap_or_default().to_owned();
                self.session = Some(Session { id, holder: self.shared.next_value() });
            }
        }
        self.session.clone()
    }
}

fn any<'a>(shared: &'a Shared, rng: &mut StdRng) -> &'a Server {
    shared.servers.choose(rng).expect("a cluster has servers")
}
