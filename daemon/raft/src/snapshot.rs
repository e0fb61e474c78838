//! Snapshots of this server: building, keeping and receiving them.
//!
//! On disk a snapshot is written to a temporary file, flushed, renamed, and only then named in the
//! log's database; a crash at any point leaves either the old one or the new one in force, and files
//! that the database does not name are removed at the next start. In memory the snapshot is a held
//! version of the state, written out only if a follower needs it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::container::Container;
use crate::error::{OpenError, SnapshotError};
use crate::log::Log;
use crate::log::database::Value;
use crate::machine::SnapshotSource;
use crate::types::{LogId, Snapshot, SnapshotMeta, StoredMembership};

/// Where a snapshot's bytes are.
#[derive(Clone)]
pub enum SnapshotBody {
    /// In a file, which stays readable after a newer snapshot replaced it.
    File(Arc<File>),
    /// In a temporary file that is not in force yet; removed when dropped.
    Spooled(Arc<NamedTempFile>),
    /// In a held version of the state.
    Held(Arc<dyn SnapshotSource>),
    /// Received into memory.
    Memory(Bytes),
}

impl fmt::Debug for SnapshotBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Spooled(_) => "Spooled",
            Self::Held(_) => "Held",
            Self::Memory(_) => "Memory",
        })
    }
}

impl SnapshotBody {
    pub(crate) fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Spooled(file) => Ok(file.as_file().metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::Held(_) => Err(io::Error::other("a held snapshot has no size yet")),
        }
    }

    /// Up to `length` bytes from `offset` on.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        match self {
            Self::File(file) => read_file_at(file, offset, length),
            Self::Spooled(file) => read_file_at(file.as_file(), offset, length),
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..start.saturating_add(length).min(bytes.len())))
            }
            Self::Held(_) => Err(io::Error::other("a held snapshot cannot be read in pieces")),
        }
    }

    /// The bytes from their beginning.
    fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        let from_start = |file: &File| {
            let mut file = file.try_clone()?;
            file.rewind()?;
            io::Result::Ok(Box::new(file))
        };
        match self {
            Self::File(file) => Ok(from_start(file)?),
            Self::Spooled(file) => Ok(from_start(file.as_file())?),
            Self::Memory(bytes) => Ok(Box::new(&bytes[..])),
            Self::Held(_) => Err(io::Error::other("a held snapshot was never written out")),
        }
    }
}

fn read_file_at(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut piece[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    piece.truncate(filled);
    Ok(piece.into())
}

/// What the database says about the snapshot in force.
#[derive(Serialize, Deserialize)]
pub(crate) struct Record {
    pub file: String,
    pub meta: SnapshotMeta,
}

/// The snapshot in force and the way to a newer one.
pub(crate) struct SnapshotStore {
    directory: Option<PathBuf>,
    /// In simulations, the disk and which run of the server uses it.
    #[cfg(test)]
    simulated: Option<(crate::sim::disk::SimDisk, u64)>,
    container: Container,
    log: Log,
    current: Mutex<Option<Snapshot>>,
    /// Held while a snapshot is put in force; whether that is over. openraft does not wait at its
    /// end for a snapshot that is being built, and nothing may change once the log is closed.
    closed: tokio::sync::Mutex<bool>,
}

impl SnapshotStore {
    /// Finds the snapshot in force and removes what crashes left behind.
    pub async fn open(directory: Option<PathBuf>, state_bytes_max: u64, log: Log) -> Result<Self, OpenError> {
        let spool_directory = directory.clone().unwrap_or_else(std::env::temp_dir);
        let container = Container { spool_directory, state_bytes_max };
        let Some(path) = &directory else {
            return Ok(Self::new(None, container, log, None));
        };
        let database = |source| OpenError::Database { path: path.clone(), source };
        let record: Option<Record> = log.load(Value::Snapshot).await.map_err(database)?;
        let io = |source| OpenError::Io { path: path.clone(), source };
        fs::create_dir_all(path).map_err(io)?;
        remove_others(path, record.as_ref().map(|record| record.file.as_str()), Others::All).map_err(io)?;
        let current = match record {
            None => None,
            Some(Record { file, meta }) => {
                let path = path.join(file);
                let file = File::open(&path)
                    .map_err(|source| OpenError::Snapshot { path: path.clone(), source: source.into() })?;
                Some(Snapshot { meta, snapshot: Box::new(SnapshotBody::File(Arc::new(file))) })
            }
        };
        if let Some(snapshot) = &current {
            log.on_snapshot(&snapshot.meta.last_membership);
            log.on_snapshot_kept(snapshot.meta.last_log_id).await.map_err(database)?;
        }
        Ok(Self::new(directory, container, log, current))
    }

    fn new(directory: Option<PathBuf>, container: Container, log: Log, current: Option<Snapshot>) -> Self {
        let (current, closed) = (Mutex::new(current), tokio::sync::Mutex::new(false));
        Self {
            directory,
            #[cfg(test)]
            simulated: None,
            container,
            log,
            current,
            closed,
        }
    }

    /// Keeps snapshots on a simulated disk.
    #[cfg(test)]
    pub async fn simulated(disk: &crate::sim::disk::SimDisk, state_bytes_max: u64, log: Log) -> Self {
        let mut current = None;
        if let Some((meta, bytes)) = disk.snapshot() {
            log.on_snapshot(&meta.last_membership);
            log.on_snapshot_kept(meta.last_log_id).await.unwrap();
            current = Some(Snapshot { meta, snapshot: Box::new(SnapshotBody::Memory(bytes)) });
        }
        let container = Container { spool_directory: std::env::temp_dir(), state_bytes_max };
        let mut store = Self::new(None, container, log, current);
        store.simulated = Some((disk.clone(), disk.generation()));
        store
    }

    #[cfg(test)]
    async fn simulate(&self, meta: &SnapshotMeta, body: &SnapshotBody) -> io::Result<()> {
        let Some((disk, run)) = &self.simulated else { return Ok(()) };
        let bytes = match body {
            SnapshotBody::Memory(bytes) => bytes.clone(),
            SnapshotBody::Held(source) => {
                let mut bytes = Vec::new();
                self.container.write(&mut bytes, meta.last_log_id, &meta.last_membership, &**source)?;
                bytes.into()
            }
            SnapshotBody::File(_) | SnapshotBody::Spooled(_) => return Ok(()),
        };
        disk.save_snapshot(*run, meta, bytes).await.map_err(io::Error::other)
    }

    /// Lets no further snapshot come in force, and waits for one that just does.
    pub async fn close(&self) {
        *self.closed.lock().await = true;
    }

    pub fn current(&self) -> Option<Snapshot> {
        self.current.lock().clone()
    }

    /// Where the snapshot in force is, for messages.
    pub async fn path(&self) -> PathBuf {
        let directory = self.directory.clone().unwrap_or_default();
        match self.log.load::<Record>(Value::Snapshot).await {
            Ok(Some(record)) => directory.join(record.file),
            Ok(None) | Err(_) => directory,
        }
    }

    /// Writes a held version out and puts it in force.
    pub async fn build(&self, meta: SnapshotMeta, source: Arc<dyn SnapshotSource>) -> io::Result<Snapshot> {
        let Some(directory) = self.directory.clone() else {
            return self.keep(meta, SnapshotBody::Held(source)).await;
        };
        let (container, described) = (self.container.clone(), meta.clone());
        let file = blocking(move || {
            let file = temporary(&directory)?;
            let SnapshotMeta { last_log_id, last_membership, .. } = &described;
            container.write(&mut file.as_file(), *last_log_id, last_membership, &*source)?;
            Ok(file)
        })
        .await?;
        self.keep(meta, SnapshotBody::Spooled(Arc::new(file))).await
    }

    /// A received snapshot could not be put in force.
    pub fn give_up(&self) {
        self.log.on_snapshot_failed();
    }

    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Checks a snapshot whole and gives its state to `parse`.
    pub async fn parse<T: Send + 'static>(
        &self,
        body: SnapshotBody,
        parse: impl FnOnce(&mut dyn Read) -> Result<T, SnapshotError> + Send + 'static,
    ) -> Result<T, SnapshotError> {
        let container = self.container.clone();
        blocking(move || Ok(container.read(body.reader()?, parse))).await?
    }

    /// Somewhere to put a snapshot that arrives in pieces.
    pub fn spool(&self) -> io::Result<Spool> {
        Ok(match &self.directory {
            Some(directory) => Spool::File(temporary(directory)?),
            None => Spool::Memory(Vec::new()),
        })
    }

    /// Puts a received snapshot in force.
    pub async fn adopt(&self, meta: SnapshotMeta, body: SnapshotBody) -> io::Result<()> {
        self.log.on_snapshot(&meta.last_membership);
        self.keep(meta, body).await.map(drop)
    }

    /// Puts a snapshot in force; the one that is in force then. A snapshot that was being built while a newer one was
    /// received comes too late: the log that would continue it is gone.
    async fn keep(&self, meta: SnapshotMeta, body: SnapshotBody) -> io::Result<Snapshot> {
        let closed = self.closed.lock().await;
        if *closed {
            return Err(io::Error::other("raft is shutdown"));
        }
        if let Some(newer) = self.current().filter(|current| current.meta.last_log_id >= meta.last_log_id) {
            return Ok(newer);
        }
        let body = match (body, &self.directory) {
            (SnapshotBody::Spooled(file), Some(directory)) => self.name_file(&meta, file, directory).await?,
            (body, _) => body,
        };
        #[cfg(test)]
        self.simulate(&meta, &body).await?;
        self.log.on_snapshot_kept(meta.last_log_id).await.map_err(io::Error::other)?;
        let snapshot = Snapshot { meta, snapshot: Box::new(body) };
        *self.current.lock() = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Makes a temporary file the snapshot of the next start.
    async fn name_file(
        &self,
        meta: &SnapshotMeta,
        file: Arc<NamedTempFile>,
        directory: &Path,
    ) -> io::Result<SnapshotBody> {
        // Not the snapshot's id: a peer chose that.
        let name = format!("{}.snap", name(meta.last_log_id));
        let (target, parent) = (directory.join(&name), directory.to_owned());
        let file = blocking(move || {
            file.as_file().sync_all()?;
            fs::rename(file.path(), &target)?;
            File::open(&parent)?.sync_all()?;
            File::open(&target)
        })
        .await?;
        let record = Record { file: name, meta: meta.clone() };
        self.log.save(Value::Snapshot, &record).await.map_err(io::Error::other)?;
        remove_others(directory, Some(&record.file), Others::Snapshots)?;
        Ok(SnapshotBody::File(Arc::new(file)))
    }
}

/// Takes pieces of a snapshot in order.
pub(crate) enum Spool {
    File(NamedTempFile),
    Memory(Vec<u8>),
}

impl Spool {
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.as_file_mut().write_all(piece),
            Self::Memory(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// What was written.
    pub fn finish(self) -> SnapshotBody {
        match self {
            Self::File(file) => SnapshotBody::Spooled(Arc::new(file)),
            Self::Memory(bytes) => SnapshotBody::Memory(bytes.into()),
        }
    }
}

/// Describes the state after `last`.
pub(crate) fn describe(last: Option<LogId>, membership: StoredMembership) -> SnapshotMeta {
    SnapshotMeta { last_log_id: last, last_membership: membership, snapshot_id: name(last) }
}

/// `<term>-<index>-<unix milliseconds>`, the form that `consul snapshot inspect` shows.
fn name(last: Option<LogId>) -> String {
    let (term, index) = last.map_or((0, 0), |last| (last.leader_id.term, last.index));
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    format!("{term}-{index}-{now_ms}")
}

/// Runs `work` where it may block.
#[cfg(not(test))]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Threads would make a simulation depend on more than its seed.
#[cfg(test)]
pub(crate) async fn blocking<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    work()
}

fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix("incoming-").tempfile_in(directory)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    /// At start, when nobody writes yet: what a crash left behind, too.
    All,
    /// Later: older snapshots only.
    Snapshots,
}

fn remove_others(directory: &Path, keep: Option<&str>, others: Others) -> io::Result<()> {
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name();
        let is_snapshot = Path::new(&name).extension().is_some_and(|extension| extension == "snap");
        if (is_snapshot || others == Others::All) && keep.is_none_or(|keep| name != keep) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
