//! A client of registers, and of keys that are only added.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;

use super::book::Mode;
use super::{Entry, Sent, Server, Shared};
use crate::linearizability::register::{Input, Output, Value};
use crate::linearizability::stale::Seen;
use crate::linearizability::{Moment, Operation};
use crate::wait::eventually;

/// Between two operations. The machine must also run the servers.
const PAUSE_MS: u64 = 12;
/// After something went wrong: errors that come at once would only lengthen the history.
const PAUSE_AFTER_ERROR_MS: u64 = 150;
/// The client's number in the reads that are made at the end.
const LAST_READER: usize = usize::MAX;

pub async fn work(shared: Rc<Shared>, id: usize, mut rng: StdRng) {
    let mut worker = Worker { shared: shared.clone(), id, read: HashMap::new() };
    while !shared.stopped.get() {
        let server = shared.servers.choose(&mut rng).expect("a cluster has servers");
        let key = shared.keys.borrow_mut().pick(&mut rng);
        let went_well = match rng.random_range(0..20) {
            0..4 => worker.read(server, &key, Mode::Default).await,
            4..8 => worker.read(server, &key, Mode::Consistent).await,
            8..11 => worker.read_stale(server, &key).await,
            11..15 => worker.put(server, &key).await,
            15..18 => worker.swap(server, &key).await,
            18 => worker.delete(server, &key).await,
            _ => worker.add(server).await,
        };
        let pause = if went_well { PAUSE_MS } else { PAUSE_AFTER_ERROR_MS };
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..=pause))).await;
    }
}

struct Worker {
    shared: Rc<Shared>,
    id: usize,
    /// What this client read last of a key, for conditional writes.
    read: HashMap<String, (Value, u64)>,
}

impl Worker {
    async fn read(&mut self, server: &Server, key: &str, mode: Mode) -> bool {
        let invoked = self.shared.now();
        let path = match mode {
            Mode::Default => format!("/v1/kv/{key}"),
            _ => format!("/v1/kv/{key}?consistent"),
        };
        let Sent::Answer(reply) = self.shared.send(server, Method::GET, &path, String::new()).await else {
            return false;
        };
        let value = self.learn(key, Entry::of(&reply));
        self.record(key, mode, Input::Read, invoked, Some(Output::Value(value)));
        true
    }

    async fn read_stale(&mut self, server: &Server, key: &str) -> bool {
        let (invoked, life) = (self.shared.now(), server.lives.get());
        let path = format!("/v1/kv/{key}?stale");
        let Sent::Answer(reply) = self.shared.send(server, Method::GET, &path, String::new()).await else {
            return false;
        };
        let returned = self.shared.now();
        let value = self.learn(key, Entry::of(&reply));
        if server.lives.get() == life {
            self.shared.book.borrow_mut().stale.push(Seen {
                server: (server.number, life),
                key: key.to_owned(),
                invoked,
                returned,
                index: reply.index(),
                value,
            });
        }
        true
    }

    async fn put(&mut self, server: &Server, key: &str) -> bool {
        let value = self.shared.next_value();
        let path = format!("/v1/kv/{key}");
        self.write(server, key, Input::Put(value), Method::PUT, &path, value.to_string()).await
    }

    async fn delete(&mut self, server: &Server, key: &str) -> bool {
        let path = format!("/v1/kv/{key}");
        self.write(server, key, Input::Delete, Method::DELETE, &path, String::new()).await
    }

    async fn swap(&mut self, server: &Server, key: &str) -> bool {
        let value = self.shared.next_value();
        let known = self.read.get(key).copied();
        let path = format!("/v1/kv/{key}?cas={}", known.map_or(0, |(_, index)| index));
        let input = Input::Swap { expected: known.map(|(value, _)| value), value };
        self.write(server, key, input, Method::PUT, &path, value.to_string()).await
    }

    async fn write(
        &mut self,
        server: &Server,
        key: &str,
        input: Input,
        method: Method,
        path: &str,
        body: String,
    ) -> bool {
        let invoked = self.shared.now();
        if let Input::Put(value) | Input::Swap { value, .. } = input {
            self.shared.book.borrow_mut().sent.insert(value, invoked);
        }
        let output = match self.shared.send(server, method, path, body).await {
            Sent::Refused => return false,
            Sent::Unknown => {
                self.shared.keys.borrow_mut().unknown(key);
                None
            }
            Sent::Answer(reply) => {
                let granted = reply.text().trim() == "true";
                Some(if matches!(input, Input::Swap { .. }) {
                    Output::Swapped(granted)
                } else {
                    assert!(granted, "{path}: {} {}", reply.status, reply.text());
                    Output::Done
                })
            }
        };
        let went_well = output.is_some();
        self.record(key, Mode::Write, input, invoked, output);
        went_well
    }

    async fn add(&mut self, server: &Server) -> bool {
        let value = self.shared.next_value();
        let path = format!("/v1/kv/added/{value}");
        let sent = self.shared.send(server, Method::PUT, &path, value.to_string()).await;
        let acknowledged = matches!(&sent, Sent::Answer(reply) if reply.text().trim() == "true");
        self.shared.book.borrow_mut().added.insert(value, acknowledged);
        acknowledged
    }

    /// Takes over what a read showed.
    fn learn(&mut self, key: &str, entry: Option<Entry>) -> Option<Value> {
        let Some(entry) = entry else {
            self.read.remove(key);
            return None;
        };
        let value = entry.value.unwrap_or_else(|| panic!("{key} holds what no client writes"));
        self.shared.book.borrow_mut().indexes.push((value, entry.modify_index));
        self.read.insert(key.to_owned(), (value, entry.modify_index));
        Some(value)
    }

    fn record(&self, key: &str, mode: Mode, input: Input, invoked: Moment, output: Option<Output>) {
        let outcome = output.map(|output| (self.shared.now(), output));
        let operation = Operation { client: self.id, input, invoked, outcome };
        let mut book = self.shared.book.borrow_mut();
        book.registers.entry(key.to_owned()).or_default().push((mode, operation));
    }
}

/// Reads every register and all added keys once more: a lost write would not be noticed if nobody looked again.
pub async fn read_everything(shared: &Rc<Shared>) {
    let keys: Vec<String> = shared.book.borrow().registers.keys().cloned().collect();
    let mut worker = Worker { shared: shared.clone(), id: LAST_READER, read: HashMap::new() };
    for (key, server) in keys.iter().zip(shared.servers.iter().cycle()) {
        let what = format!("{key} can be read in the end");
        eventually(&what, async || {
            if worker.read(server, key, Mode::Consistent).await { Ok(()) } else { Err("no answer") }
        })
        .await;
    }
    for server in &shared.servers {
        let path = "/v1/kv/added/?keys&consistent";
        let reply = eventually("the added keys can be listed", async || {
            let sent = shared.send(server, Method::GET, path, String::new()).await;
            if let Sent::Answer(reply) = sent { Ok(reply) } else { Err("no answer") }
        })
        .await;
        let keys = if reply.status == 404 { Vec::new() } else { parse_keys(&reply.json()) };
        shared.book.borrow_mut().present.push(keys.into_iter().collect());
    }
}

fn parse_keys(list: &serde_json::Value) -> Vec<Value> {
    let names = list.as_array().into_iter().flatten().filter_map(|name| name.as_str());
    names.filter_map(|name| name.strip_prefix("added/")?.parse().ok()).collect()
}
