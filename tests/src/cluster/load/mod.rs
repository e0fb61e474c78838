//! Clients that read, write, swap and lock on all servers, and remember what they were told.
//!
//! Three kinds of work go on at once. *Registers*: a few keys at a time, written, swapped, deleted and read in every
//! mode; each key is retired after some hundred operations, so that a search over its history stays short. *Locks*:
//! sessions that nothing but their client ends take turns. *Additions*: keys that are written once and must all be
//! there in the end.

mod book;
mod keys;
mod locker;
mod worker;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::SeedableRng;
use rand::rngs::StdRng;
use reqwest::Method;
use tokio::task::JoinHandle;

pub use book::{Book, Mode, Summary};

use super::Cluster;
use crate::{Reply, http};

const WORKERS: usize = 6;
const LOCKERS: usize = 3;
/// An answer that takes longer is given up, and its outcome is unknown.
const PATIENCE: Duration = Duration::from_millis(2500);

/// Clients at work.
pub struct Load {
    shared: Rc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What all clients of one load have in common.
struct Shared {
    http: reqwest::Client,
    servers: Vec<Server>,
    began: Instant,
    stopped: Cell<bool>,
    book: RefCell<Book>,
    keys: RefCell<keys::Keys>,
    last_value: Cell<u64>,
}

struct Server {
    url: String,
    number: usize,
    lives: Rc<Cell<u64>>,
}

impl Load {
    /// Starts the clients on all servers of `dc1`. To be called inside [`super::Network::run`].
    pub fn start(cluster: &Cluster, seed: u64) -> Self {
        let servers = cluster.servers_of("dc1").into_iter().map(|number| Server {
            url: cluster.agent(number).url(""),
            number,
            lives: cluster.lives(number),
        });
        let shared = Rc::new(Shared {
            http: http::client_with_limit(PATIENCE),
            servers: servers.collect(),
            began: Instant::now(),
            stopped: Cell::new(false),
            book: RefCell::default(),
            keys: RefCell::new(keys::Keys::new()),
            last_value: Cell::new(0),
        });
        let mut tasks = Vec::new();
        for id in 0..WORKERS {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(id as u64));
            tasks.push(tokio::task::spawn_local(worker::work(shared.clone(), id, rng)));
        }
        for id in WORKERS..WORKERS + LOCKERS {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(id as u64));
            tasks.push(tokio::task::spawn_local(locker::work(shared.clone(), id, rng)));
        }
        Self { shared, tasks }
    }

    /// Ends the work, reads everything once more, and returns what was seen. The cluster must be whole again.
    pub async fn finish(self) -> Book {
        self.shared.stopped.set(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        worker::read_everything(&self.shared).await;
        self.shared.book.take()
    }
}

/// What became of a request.
enum Sent {
    Answer(Reply),
    /// It never left.
    Refused,
    /// It may have had an effect, at once or later, or not.
    Unknown,
}

impl Shared {
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A value that nobody wrote before.
    fn next_value(&self) -> u64 {
        self.last_value.set(self.last_value.get() + 1);
        self.last_value.get()
    }

    async fn send(&self, server: &Server, method: Method, path: &str, body: String) -> Sent {
        let sent = self.http.request(method, format!("{}{path}", server.url)).body(body).send().await;
        let read = match sent {
            Ok(response) => Reply::read(response).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(reply) if matches!(reply.status, 200 | 404) => Sent::Answer(reply),
            // Whether an error came before or after the proposal is the server's business.
            Ok(_) => Sent::Unknown,
            Err(error) if error.is_connect() => Sent::Refused,
            Err(_) => Sent::Unknown,
        }
    }
}

/// An entry of the store as it is answered.
struct Entry {
    value: Option<u64>,
    modify_index: u64,
    lock_index: u64,
    session: String,
}

impl Entry {
    fn of(reply: &Reply) -> Option<Self> {
        if reply.status == 404 {
            return None;
        }
        let entry = &reply.json()[0];
        let value = STANDARD.decode(entry["Value"].as_str().unwrap_or_default()).unwrap_or_default();
        let number = |name: &str| entry[name].as_u64().unwrap_or(0);
        Some(Self {
            value: String::from_utf8(value).ok().and_then(|text| text.parse().ok()),
            modify_index: number("ModifyIndex"),
            lock_index: number("LockIndex"),
            session: entry["Session"].as_str().unwrap_or_default().to_owned(),
        })
    }
}
