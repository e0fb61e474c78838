//! The store: the current version, its one writer, and those who wait for the next.

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::command::{Command, Outcome};
use crate::version::Version;
use crate::watch::{Registry, WatchSet, Watcher};
use crate::writer::Writer;

/// All replicated state of one datacenter.
#[derive(Default)]
pub struct Store {
    current: ArcSwap<Version>,
    /// Held while a batch is applied: there is one writer at a time.
    writing: Mutex<()>,
    registry: Arc<Registry>,
}

impl Store {
    /// An empty store; its first command takes index 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The newest version. Never waits.
    pub fn version(&self) -> Arc<Version> {
        self.current.load_full()
    }

    /// Applies `commands` in order and publishes the result once. Each takes the next index, also if it fails or
    /// changes nothing. A command that fails leaves no trace but its outcome.
    pub fn apply(&self, commands: &[Command]) -> Vec<Outcome> {
        let _one_at_a_time = self.writing.lock();
        let mut writer = Writer::new(&self.current.load());
        let outcomes = commands.iter().map(|command| writer.apply(command)).collect();
        let (version, changes) = writer.finish();
        self.current.store(Arc::new(version));
        if !changes.is_empty() {
            self.registry.notify(&changes);
        }
        outcomes
    }

    /// Registers interest in everything `set` records. Look at [`Store::version`] again before sleeping on the
    /// watcher: what changed before the registration does not wake it.
    pub fn watch(&self, set: &WatchSet) -> Watcher {
        self.registry.watch(set)
    }

    /// Number of distinct things that someone waits for.
    pub fn watched(&self) -> usize {
        self.registry.topics()
    }

    /// Evaluates `read` until its index passes `min_index` (at once if that is 0), sleeping in between until something
    /// it read changes. Has no clock: wrap it in a timeout, and evaluate once more when that fires.
    pub async fn read_blocking<T>(
        &self,
        min_index: u64,
        mut read: impl FnMut(&Arc<Version>, &mut WatchSet) -> (u64, T),
    ) -> (u64, T) {
        let mut version = self.version();
        loop {
            let mut set = WatchSet::new();
            let (index, data) = read(&version, &mut set);
            if index > min_index || min_index == 0 {
                return (index, data);
            }
            let watcher = self.watch(&set);
            let newest = self.version();
            if newest.index() == version.index() {
                watcher.await;
                version = self.version();
                continue;
            }
            let mut newest_set = WatchSet::new();
            let (index, data) = read(&newest, &mut newest_set);
            if index > min_index {
                return (index, data);
            }
            if newest_set == set {
                watcher.await;
            }
            version = self.version();
        }
    }
}
