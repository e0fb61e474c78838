//! Reloads the configuration when its files change.
//!
//! Directories are watched, not files: editors and deployment tools replace files, which ends a watch on the old one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::agent::Agent;

/// Files are written in steps, and several at a time: wait until they have been quiet for this long.
const QUIET: Duration = Duration::from_secs(1);
/// Reload at last, even if the files never become quiet.
const PATIENCE: Duration = Duration::from_secs(10);

/// Watches files and directories for as long as it lives.
pub struct FileWatch {
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl FileWatch {
    /// `paths` are files and directories as the configuration names them.
    pub fn new(paths: &[PathBuf]) -> notify::Result<Self> {
        let targets: Vec<Target> = paths.iter().map(|path| Target::new(path)).collect();
        let changed = Arc::new(Notify::new());
        let (notify, known) = (changed.clone(), targets.clone());
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| match event {
            Ok(event) if is_change(&event, &known) => notify.notify_one(),
            Ok(_) => {}
            Err(error) => warn!(target: "agent", %error, "error while watching configuration files"),
        })?;
        for target in &targets {
            watcher.watch(&target.directory, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { changed, _watcher: watcher })
    }

    /// Resolves once something has changed and then was quiet for a while.
    async fn settled(&self) {
        self.changed.notified().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let quiet = async { while tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {} };
        // Running into the deadline is as good as quiet.
        let _ = tokio::time::timeout_at(deadline, quiet).await;
    }
}

/// What is watched on behalf of one configured path.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    directory: PathBuf,
    /// The one file of `directory` that matters; `None`: all of them.
    file: Option<PathBuf>,
}

impl Target {
    fn new(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() {
            return Self { directory: path, file: None };
        }
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        Self { directory, file: Some(path) }
    }

    fn concerns(&self, path: &Path) -> bool {
        match &self.file {
            Some(file) => path == file,
            None => path.parent() == Some(&self.directory) || path == self.directory,
        }
    }
}

/// Reading a file is an event too, and the agent reads them all when it reloads.
fn is_change(event: &Event, targets: &[Target]) -> bool {
    let writes = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) => true,
        EventKind::Any | EventKind::Other => event.need_rescan(),
    };
    writes
        && (event.need_rescan()
            || event.paths.iter().any(|path| targets.iter().any(|target| target.concerns(path))))
}

/// Reloads after every change, until the agent stops.
pub async fn run(agent: Arc<Agent>, watch: FileWatch) {
    loop {
        tokio::select! {
            () = agent.stop.cancelled() => return,
            () = watch.settled() => {}
        }
        info!(target: "agent", "configuration files have changed, reloading");
        // A failure is logged where it happens; the agent goes on with what it has.
        let _ = agent.reload_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn changes(watch: &FileWatch) {
        tokio::time::timeout(LIMIT, watch.changed.notified()).await.expect("no change was seen");
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_is_still_watched() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.hcl");
        std::fs::write(&file, "1").unwrap();
        let watch = FileWatch::new(std::slice::from_ref(&file)).unwrap();
        for text in ["2", "3"] {
            let new = directory.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, &file).unwrap();
            changes(&watch).await;
        }
    }

    #[tokio::test]
    async fn a_new_file_in_a_watched_directory_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let watch = FileWatch::new(&[directory.path().to_owned()]).unwrap();
        std::fs::write(directory.path().join("b.json"), "{}").unwrap();
        changes(&watch).await;
    }

    #[test]
    fn reading_and_other_files_are_no_change() {
        let target = Target { directory: "/etc/agent".into(), file: Some("/etc/agent/a.hcl".into()) };
        let event = |kind, path: &str| Event { paths: vec![path.into()], ..Event::new(kind) };
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let opened = EventKind::Access(AccessKind::Open(AccessMode::Read));
        let targets = [target];
        assert!(is_change(&event(written, "/etc/agent/a.hcl"), &targets));
        assert!(!is_change(&event(written, "/etc/agent/b.hcl"), &targets));
        assert!(!is_change(&event(opened, "/etc/agent/a.hcl"), &targets));
    }
}
