//! The store: the current version, its one writer, and those who wait for the next.

use std::io::{self, Read, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use consul_api::snapshot::records::RecordType;
use parking_lot::Mutex;

use crate::command::{Command, Outcome};
use crate::snapshot::{self, Restored, SnapshotError};
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

    /// Writes a version as a stream of snapshot records, every type that it holds.
    pub fn write_snapshot(version: &Version, out: &mut dyn Write) -> io::Result<()> {
        snapshot::write(version, RecordType(u8::MAX), out)
    }

    /// As [`Store::write_snapshot`], without records of types that came after `newest`: releases that do not know a
    /// type fail on it.
    pub fn write_snapshot_up_to(
        version: &Version,
        newest: RecordType,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        snapshot::write(version, newest, out)
    }

    /// Reads and validates a whole snapshot, touching nothing.
    pub fn read_snapshot(input: &mut dyn Read) -> Result<Restored, SnapshotError> {
        snapshot::read(input)
    }

    /// Makes the state what the snapshot holds, its index included: for a snapshot of this very log. Everyone who
    /// waits is woken.
    pub fn recover(&self, restored: Restored) {
        self.replace(restored, |_, restored| restored);
    }

    /// Replaces the state as one more change: the index continues above both the present one and the snapshot's.
    /// Everyone who waits is woken.
    pub fn restore(&self, restored: Restored) {
        self.replace(restored, |present, restored| present.max(restored) + 1);
    }

    fn replace(&self, restored: Restored, index: impl FnOnce(u64, u64) -> u64) {
        let _one_at_a_time = self.writing.lock();
        let present = self.current.load();
        let mut version = restored.0;
        version.index = index(present.index, version.index);
        version.epoch = present.epoch + 1;
        self.current.store(Arc::new(version));
        self.registry.notify_all();
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
    /// it read changes or the state is replaced by a snapshot. Has no clock: wrap it in a timeout, and evaluate once more when that fires.
    pub async fn read_blocking<T>(
        &self,
        min_index: u64,
        mut read: impl FnMut(&Arc<Version>, &mut WatchSet) -> (u64, T),
    ) -> (u64, T) {
        let mut version = self.version();
        let epoch = version.epoch();
        loop {
            let mut set = WatchSet::new();
            let (index, data) = read(&version, &mut set);
            if index > min_index || min_index == 0 {
                return (index, data);
            }
            if version.epoch() != epoch {
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
            if index > min_index || newest.epoch() != epoch {
                return (index, data);
            }
            if newest_set == set {
                watcher.await;
            }
            version = self.version();
        }
    }
}
