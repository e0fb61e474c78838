//! Follows everything that templates ask for: one task for each dependency, however many templates use it.

mod agent;
mod failures;
mod files;
mod local;
mod turns;

use std::collections::HashMap;
use std::time::Duration;

use consul_api::client::Client;
use consul_template_functions::{Data, Dependency, Freshness};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Retry;

use turns::Turns;

pub use files::{Changes, Files, Fingerprint, changed};
pub use turns::CONNECTIONS;

/// What a watcher has to say.
#[derive(Debug)]
pub enum News {
    Data(Dependency, Data),
    /// The agent answered, with nothing new.
    Answered(Dependency),
    /// There is no such thing.
    Absent(Dependency),
    /// No answer; it is asked for again.
    Failing(Dependency, String),
    /// No answer, and it is not asked for any more.
    GaveUp(Dependency, String),
}

/// How data is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    pub retry: Retry,
    /// Zero asks the leader always.
    pub max_stale: Duration,
    pub wait: Duration,
    /// How many connections to the agent may be in use at once.
    pub connections: usize,
}

/// All watchers. Dropping it ends them.
pub struct Watchers {
    client: Client,
    asking: Asking,
    turns: Turns,
    files: Files,
    news: mpsc::Sender<News>,
    tasks: HashMap<Dependency, JoinHandle<()>>,
}

impl Watchers {
    pub fn new(client: Client, asking: Asking, files: Files, news: mpsc::Sender<News>) -> Self {
        let turns = Turns::on(asking.connections);
        Self { client, asking, turns, files, news, tasks: HashMap::new() }
    }

    /// Starts to follow a dependency, unless that is done already.
    pub fn watch(&mut self, dependency: Dependency) {
        if self.tasks.contains_key(&dependency) {
            return;
        }
        tracing::debug!(target: "watcher", "adding {dependency}");
        let (client, news, asking) = (self.client.clone(), self.news.clone(), self.asking);
        let followed = dependency.clone();
        let task = match (&dependency, dependency.freshness()) {
            (Dependency::File { path }, _) => {
                let changes = self.files.watch(path.as_ref());
                tokio::spawn(local::follow(followed, changes, news))
            }
            (_, Freshness::Blocking) => {
                tokio::spawn(agent::follow(followed, client, asking, self.turns.join(), news))
            }
            (_, Freshness::Poll(every)) => tokio::spawn(agent::poll(followed, every, client, asking, news)),
        };
        self.tasks.insert(dependency, task);
    }

    /// Whether a dependency is followed.
    pub fn watches(&self, dependency: &Dependency) -> bool {
        self.tasks.contains_key(dependency)
    }

    pub fn unwatch(&mut self, dependency: &Dependency) {
        if let Some(task) = self.tasks.remove(dependency) {
            tracing::debug!(target: "watcher", "removing {dependency}");
            task.abort();
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for task in self.tasks.values() {
            task.abort();
        }
    }
}
