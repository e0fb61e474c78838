//! The book behind its lock, and those who wait for it to change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use consul_api::types::health::Status;
use consul_checks::CheckSink;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::local::state::{CheckChange, LocalState};

pub struct Book {
    state: Mutex<LocalState>,
    /// The state's revision after each change.
    revision: watch::Sender<u64>,
    /// Something is worth writing to the catalog at once.
    dirty: Notify,
    output_delay: Duration,
    discard_output: Arc<AtomicBool>,
}

impl Book {
    pub fn new(output_delay: Duration, discard_output: Arc<AtomicBool>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            revision: watch::Sender::new(0),
            dirty: Notify::new(),
            output_delay,
            discard_output,
        })
    }

    /// Looks at the state. Must be quick: checks report through the same lock.
    pub fn read<T>(&self, look: impl FnOnce(&LocalState) -> T) -> T {
        look(&self.state.lock())
    }

    /// Changes the state, and wakes those who follow it and the synchronisation.
    pub fn change<T>(&self, edit: impl FnOnce(&mut LocalState) -> T) -> T {
        let mut state = self.state.lock();
        let out = edit(&mut state);
        let revision = state.revision();
        drop(state);
        self.publish(revision);
        self.dirty.notify_one();
        out
    }

    /// Changes what only the synchronisation knows, waking nobody.
    pub fn settle<T>(&self, edit: impl FnOnce(&mut LocalState) -> T) -> T {
        edit(&mut self.state.lock())
    }

    /// Follows changes. Subscribe before reading, so that none is missed.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Resolves when something is worth writing to the catalog.
    pub async fn dirty(&self) {
        self.dirty.notified().await;
    }

    fn publish(&self, revision: u64) {
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    }
}

impl CheckSink for Book {
    fn update(&self, check_id: &str, status: Status, output: String) {
        let output = if self.discard_output.load(Ordering::Relaxed) { String::new() } else { output };
        let mut state = self.state.lock();
        let change = state.update_check(check_id, status, &output, Instant::now(), self.output_delay);
        let revision = state.revision();
        drop(state);
        self.publish(revision);
        if change == CheckChange::Status {
            self.dirty.notify_one();
        }
    }
}
