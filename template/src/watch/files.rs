//! Tells when a file may have changed.
//!
//! Directories are watched rather than files: an editor or a deployment replaces a file by another of its name, and a
//! watch on the old one would hear nothing more.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use tokio::sync::watch;

/// Counts events of a directory; every change of it may concern the file.
pub type Changes = watch::Receiver<u64>;

type Directories = Arc<Mutex<HashMap<PathBuf, watch::Sender<u64>>>>;

/// All directories with files of interest.
#[derive(Clone)]
pub struct Files {
    directories: Directories,
    watcher: Arc<Mutex<Option<RecommendedWatcher>>>,
}

impl Files {
    /// Where the system cannot tell of changes, none are heard of: who follows a file looks at it from time to time.
    pub fn new() -> Self {
        let directories = Directories::default();
        let told = Arc::clone(&directories);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let told = told.lock();
            let tell =
                |sender: &watch::Sender<u64>| sender.send_modify(|count| *count = count.wrapping_add(1));
            match event {
                Ok(event) if event.kind.is_access() => {}
                Ok(event) => {
                    for directory in event.paths.iter().filter_map(|path| path.parent()) {
                        told.get(directory).into_iter().for_each(tell);
                    }
                }
                // Events were lost, so anything may have changed.
                Err(_) => told.values().for_each(tell),
            }
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(target: "watcher", "files are only looked at from time to time: {error}"))
            .ok();
        Self { directories, watcher: Arc::new(Mutex::new(watcher)) }
    }

    /// Starts to watch the directory of a file.
    pub fn watch(&self, path: &Path) -> Changes {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
        let mut directories = self.directories.lock();
        if let Some(sender) = directories.get(&parent) {
            return sender.subscribe();
        }
        let (sender, changes) = watch::channel(0);
        directories.insert(parent.clone(), sender);
        drop(directories);
        if let Some(watcher) = self.watcher.lock().as_mut()
            && let Err(error) = watcher.watch(&parent, RecursiveMode::NonRecursive)
        {
            tracing::debug!(target: "watcher", "{} is only looked at from time to time: {error}", parent.display());
        }
        changes
    }
}

/// By which a file that was written or replaced is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Fingerprint {
    pub fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path)?;
        Ok(Self { inode: meta.ino(), len: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()) })
    }
}

/// Waits until the directory tells of something, or so much time has passed.
pub async fn changed(changes: &mut Changes, at_most: std::time::Duration) {
    match tokio::time::timeout(at_most, changes.changed()).await {
        Ok(Ok(())) | Err(_) => {}
        // Nobody will tell any more.
        Ok(Err(_)) => tokio::time::sleep(at_most).await,
    }
}
