//! What was acknowledged survives: kill -9 amid writes, orderly restarts, restores under load.
//!
//! Each writer owns its keys and knows, for each of them, the last value that was acknowledged and the one that was
//! under way when the process died. Afterwards a key must hold one of the two: the first may not be lost, and nothing
//! else may appear.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use consul_tests::{Agent, Setup, eventually, wait::check};
use flate2::read::GzDecoder;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const WRITERS: usize = 4;
const KEYS_PER_WRITER: u64 = 16;

/// `KILL_ROUNDS` in the environment makes the search longer.
fn rounds() -> u64 {
    std::env::var("KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(15)
}

/// What one writer knows of its keys.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Acknowledged values; `None` was deleted.
    acknowledged: BTreeMap<String, Option<String>>,
    /// Sent without an answer.
    in_flight: BTreeMap<String, Option<String>>,
    sessions: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Writer {
    id: usize,
    http: reqwest::Client,
    base: String,
    known: Known,
    step: u64,
}

impl Writer {
    fn new(id: usize) -> Self {
        Self { id, http: reqwest::Client::new(), base: String::new(), known: Known::default(), step: 0 }
    }

    /// Writes until the agent is gone.
    async fn run(mut self, agent: String, http: reqwest::Client, acknowledged: Arc<AtomicU64>) -> Self {
        (self.base, self.http) = (agent, http);
        let mut rng = StdRng::seed_from_u64(self.step + self.id as u64);
        loop {
            self.step += 1;
            let went_well = match rng.random_range(0..10) {
                0..5 => self.put(rng.random_range(0..KEYS_PER_WRITER)).await,
                5..7 => self.delete(rng.random_range(0..KEYS_PER_WRITER)).await,
                7..9 => self.pair().await,
                _ => self.lock().await,
            };
            if !went_well {
                return self;
            }
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn put(&mut self, key: u64) -> bool {
        let key = format!("w{}/{key}", self.id);
        // Long enough values to make a torn page visible.
        let value = format!("{}-{}", self.step, "x".repeat(200));
        self.known.in_flight.insert(key.clone(), Some(value.clone()));
        let sent = self.http.put(format!("{}/v1/kv/{key}", self.base)).body(value).send().await;
        self.settle(sent, &[key]).await
    }

    async fn delete(&mut self, key: u64) -> bool {
        let key = format!("w{}/{key}", self.id);
        self.known.in_flight.insert(key.clone(), None);
        let sent = self.http.delete(format!("{}/v1/kv/{key}", self.base)).send().await;
        self.settle(sent, &[key]).await
    }

    /// Two keys in one transaction: they never differ.
    async fn pair(&mut self) -> bool {
        let keys = [format!("w{}/left", self.id), format!("w{}/right", self.id)];
        let value = self.step.to_string();
        let encoded = STANDARD.encode(&value);
        let operations: Vec<Value> =
            keys.iter().map(|key| json!({"KV": {"Verb": "set", "Key": key, "Value": encoded}})).collect();
        for key in &keys {
            self.known.in_flight.insert(key.clone(), Some(value.clone()));
        }
        let sent =
            self.http.put(format!("{}/v1/txn", self.base)).body(json!(operations).to_string()).send().await;
        self.settle(sent, &keys).await
    }

    /// A new session takes a new lock.
    async fn lock(&mut self) -> bool {
        let body = json!({"Name": format!("writer {}", self.id), "LockDelay": "0s"}).to_string();
        let Ok(created) = self.http.put(format!("{}/v1/session/create", self.base)).body(body).send().await
        else {
            return false;
        };
        let Ok(text) = created.text().await else { return false };
        let created: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("session create: {text}"));
        let session = created["ID"].as_str().expect("a session has an id").to_owned();
        self.known.sessions.insert(session.clone());
        let key = format!("w{}/locks/{}", self.id, self.step);
        self.known.in_flight.insert(key.clone(), Some(session.clone()));
        let url = format!("{}/v1/kv/{key}?acquire={session}", self.base);
        let sent = self.http.put(url).body(session).send().await;
        self.settle(sent, &[key]).await
    }

    /// Books an answer; false once the agent is gone.
    async fn settle(&mut self, sent: Result<reqwest::Response, reqwest::Error>, keys: &[String]) -> bool {
        let Ok(response) = sent else { return false };
        let status = response.status();
        let Ok(text) = response.text().await else { return false };
        assert!(status == 200 && !text.starts_with("false"), "a write was refused: {status} {text}");
        for key in keys {
            let value = self.known.in_flight.remove(key).expect("it was sent");
            self.known.acknowledged.insert(key.clone(), value);
        }
        true
    }

    /// Compares with what the agent has now, and takes that over.
    fn verify(&mut self, stored: &BTreeMap<String, Entry>, sessions: &BTreeSet<String>) {
        let prefix = format!("w{}/", self.id);
        let mut keys: BTreeSet<&String> =
            self.known.acknowledged.keys().chain(self.known.in_flight.keys()).collect();
        keys.extend(stored.keys().filter(|key| key.starts_with(&prefix)));
        let none = None;
        for key in keys {
            let now = stored.get(key).map(|entry| entry.value.clone());
            let before = self.known.acknowledged.get(key).unwrap_or(&none);
            let under_way = self.known.in_flight.get(key);
            assert!(
                now == *before || Some(&now) == under_way,
                "{key}: acknowledged {before:?}, under way {under_way:?}, found {now:?}"
            );
        }
        let left = stored.get(&format!("{prefix}left")).map(|entry| &entry.value);
        let right = stored.get(&format!("{prefix}right")).map(|entry| &entry.value);
        assert_eq!(left, right, "half of a transaction is there");
        for session in &self.known.sessions {
            assert!(sessions.contains(session), "session {session} is lost");
        }
        self.known.in_flight.clear();
        let own = stored.iter().filter(|(key, _)| key.starts_with(&prefix));
        self.known.acknowledged = own.map(|(key, entry)| (key.clone(), Some(entry.value.clone()))).collect();
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    value: String,
    session: String,
    modify_index: u64,
}

/// Default consistency: a server must not answer such a read before it has its whole log again.
const LISTING: &str = "/v1/kv/?recurse";

/// All entries, and the index that came with them.
async fn stored(agent: &Agent) -> (BTreeMap<String, Entry>, u64) {
    let reply = agent.get(LISTING).await;
    if reply.status == 404 {
        return (BTreeMap::new(), reply.index());
    }
    let index = reply.index();
    let entries = reply.ok().json();
    let entries = entries.as_array().expect("a list").iter().map(|entry| {
        let value = STANDARD.decode(entry["Value"].as_str().unwrap_or_default()).expect("base64");
        let value = String::from_utf8(value).expect("only text was written");
        let session = entry["Session"].as_str().unwrap_or_default().to_owned();
        let modify_index = entry["ModifyIndex"].as_u64().expect("a number");
        (entry["Key"].as_str().expect("a key").to_owned(), Entry { value, session, modify_index })
    });
    (entries.collect(), index)
}

async fn sessions(agent: &Agent) -> BTreeSet<String> {
    let list = agent.get("/v1/session/list").await.ok().json();
    list.as_array()
        .expect("a list")
        .iter()
        .filter_map(|session| session["ID"].as_str())
        .map(str::to_owned)
        .collect()
}

/// Every lock has a holder, and every lock key names the session that wrote it.
fn assert_locks_consistent(stored: &BTreeMap<String, Entry>, sessions: &BTreeSet<String>) {
    for (key, entry) in stored.iter().filter(|(key, _)| key.contains("/locks/")) {
        assert_eq!(entry.session, entry.value, "{key} is held by another than who wrote it");
        assert!(sessions.contains(&entry.session), "{key} is held by nobody");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_loses_no_acknowledged_write_and_tears_nothing() {
    let mut agent = Setup::server("s1").config(|config| config["log_level"] = json!("INFO")).start().await;
    let mut writers: Vec<Writer> = (0..WRITERS).map(Writer::new).collect();
    let mut rng = rand::rng();
    let (mut total, mut highest) = (0, 0);
    for round in 0..rounds() {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = writers
            .drain(..)
            .map(|writer| tokio::spawn(writer.run(agent.url(""), agent.http().clone(), acknowledged.clone())))
            .collect();
        // Any moment will do, also the very first; the random part moves it through appends, syncs and snapshots.
        let enough = rng.random_range(0..400);
        eventually("writes are acknowledged", async || {
            check(acknowledged.load(Ordering::Relaxed) >= enough, acknowledged.load(Ordering::Relaxed))
        })
        .await;
        agent.kill();
        writers = join_all(tasks).await.into_iter().map(|joined| joined.expect("no writer panics")).collect();
        total += acknowledged.load(Ordering::Relaxed);

        agent.restart().await;
        let (entries, index) = stored(&agent).await;
        let sessions = sessions(&agent).await;
        for writer in &mut writers {
            writer.verify(&entries, &sessions);
        }
        assert_locks_consistent(&entries, &sessions);
        assert!(index >= highest, "round {round}: the index went from {highest} back to {index}");
        highest = index;
        // Locks would pile up otherwise; dropping them is one more thing that must survive.
        for writer in &mut writers {
            let path = format!("/v1/kv/w{}/locks/?recurse", writer.id);
            agent.delete(&path).await.ok();
            writer.known.acknowledged.retain(|key, _| !key.contains("/locks/"));
            for session in std::mem::take(&mut writer.known.sessions) {
                agent.put(&format!("/v1/session/destroy/{session}"), "").await.ok();
            }
        }
    }
    assert!(total > rounds(), "only {total} writes were acknowledged in all rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orderly_restart_keeps_everything() {
    let mut agent = Setup::server("s1").start().await;
    for number in 0..50 {
        agent.put(&format!("/v1/kv/n/{number}?flags={number}"), number.to_string()).await.ok();
    }
    let session = agent.put_json("/v1/session/create", &json!({"Name": "holder"})).await.ok().json();
    let session = session["ID"].as_str().unwrap().to_owned();
    assert_eq!(agent.put(&format!("/v1/kv/lock?acquire={session}"), "").await.ok().text().trim(), "true");
    let query = json!({"Name": "find-web", "Service": {"Service": "web"}});
    agent.request(reqwest::Method::POST, "/v1/query", query.to_string()).await.ok();
    let external = json!({"Node": "far", "Address": "10.9.8.7", "Service": {"Service": "shop", "Port": 80}});
    agent.put_json("/v1/catalog/register", &external).await.ok();
    let own = json!({"Name": "own", "Port": 7, "Check": {"TTL": "600s", "Status": "passing"}});
    agent.put_json("/v1/agent/service/register", &own).await.ok();
    agent.until("/v1/catalog/service/own", |reply| reply.json()[0].is_object()).await;
    let paths =
        ["/v1/kv/?recurse", "/v1/session/list", "/v1/query", "/v1/catalog/node/far", "/v1/agent/services"];
    let mut before = Vec::new();
    for path in paths {
        before.push(agent.get(path).await.ok().json());
    }
    let status = agent.terminate().await;
    assert!(status.code().is_some(), "ended by {status}");
    agent.restart().await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(agent.get(path).await.ok().json(), before, "{path} changed over a restart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_amid_writes_keeps_what_comes_after_it() {
    let mut agent = Setup::server("s1").start().await;
    agent.put("/v1/kv/saved", "old").await.ok();
    let archive = agent.get("/v1/snapshot").await.ok().body;
    agent.put("/v1/kv/saved", "new").await.ok();
    agent.put("/v1/kv/after-save", "x").await.ok();

    let stop = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..WRITERS)
        .map(|id| {
            let (http, base, stop) = (agent.http().clone(), agent.url(""), stop.clone());
            tokio::spawn(async move {
                let mut count = 0_u64;
                while stop.load(Ordering::Relaxed) == 0 {
                    let sent = http.put(format!("{base}/v1/kv/during/{id}/{count}")).body("x").send().await;
                    // A write may be refused while the state is replaced, but not left hanging.
                    if sent.is_ok_and(|response| response.status() == 200) {
                        count += 1;
                    }
                }
                count
            })
        })
        .collect();
    for round in 0..5 {
        agent.put("/v1/snapshot", archive.clone()).await.ok();
        assert_eq!(agent.get("/v1/kv/saved?raw").await.text(), "old", "round {round}");
        assert_eq!(agent.get("/v1/kv/after-save").await.status, 404);
        agent.put(&format!("/v1/kv/since/{round}"), "kept").await.ok();
        assert_eq!(agent.get(&format!("/v1/kv/since/{round}?raw")).await.text(), "kept");
    }
    stop.store(1, Ordering::Relaxed);
    let written: u64 =
        join_all(writers).await.into_iter().map(|joined| joined.expect("no writer panics")).sum();
    assert!(written > 0, "nobody could write while snapshots were restored");

    let (before, _) = stored(&agent).await;
    assert!(before.contains_key("since/4") && !before.contains_key("since/3"));
    agent.kill();
    agent.restart().await;
    assert_eq!(stored(&agent).await.0, before, "the state after kill -9 is not the one before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_snapshots_are_refused_and_change_nothing() {
    let mut agent = Setup::dev("s1").start().await;
    for number in 0..20 {
        agent.put(&format!("/v1/kv/n/{number}"), "value").await.ok();
    }
    let archive = agent.get("/v1/snapshot").await.ok().body;
    let (before, _) = stored(&agent).await;
    let mut rng = StdRng::seed_from_u64(7);
    let mut damaged: Vec<Vec<u8>> = vec![Vec::new(), b"no archive at all".to_vec()];
    damaged.extend([1, 10, archive.len() / 2, archive.len() - 9].map(|length| archive[..length].to_vec()));
    while damaged.len() < 30 {
        let mut copy = archive.clone();
        let place = rng.random_range(10..copy.len());
        copy[place] ^= 1 << rng.random_range(0..8);
        // A flipped bit may mean the same, say another place to copy zeros from.
        if unpacked(&copy) != unpacked(&archive) {
            damaged.push(copy);
        }
    }
    for (number, bytes) in damaged.into_iter().enumerate() {
        let reply = agent.put("/v1/snapshot", bytes).await;
        assert!(
            reply.status >= 400 && !reply.body.is_empty(),
            "damage {number}: {} {}",
            reply.status,
            reply.text()
        );
        assert_eq!(stored(&agent).await.0, before, "damage {number} changed the state");
    }
    agent.is_alive().await;
}

/// What is compressed in there; nothing if that is broken.
fn unpacked(archive: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[tokio::test]
async fn members_that_a_restored_snapshot_brings_are_reaped_and_outside_nodes_stay() {
    let old = Setup::dev("old").start().await;
    old.put_json("/v1/catalog/register", &json!({"Node": "outside", "Address": "10.0.0.9"})).await.ok();
    old.put_json("/v1/agent/service/register", &json!({"Name": "web"})).await.ok();
    old.until("/v1/catalog/node/old", |reply| reply.json()["Services"]["web"].is_object()).await;
    let archive = old.get("/v1/snapshot").await.ok().body;
    let mut agent = Setup::server("new").start().await;
    agent.put("/v1/snapshot", archive).await.ok();
    let names = |reply: &consul_tests::Reply| -> Vec<String> {
        let nodes = reply.json();
        nodes
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|node| node["Node"].as_str().map(str::to_owned))
            .collect()
    };
    agent.until("/v1/catalog/nodes", |reply| names(reply) == ["new", "outside"]).await;
    // With the member went what stood on it.
    assert_eq!(agent.get("/v1/catalog/service/web").await.ok().json(), json!([]));
    agent.until("/v1/health/node/new", |reply| reply.json()[0]["CheckID"] == "serfHealth").await;
    assert_eq!(names(&agent.get("/v1/catalog/nodes").await), ["new", "outside"]);
    // A restart finds the same.
    agent.terminate().await;
    agent.restart().await;
    assert_eq!(names(&agent.get("/v1/catalog/nodes").await), ["new", "outside"]);
}
