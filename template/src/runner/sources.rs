//! Notices when the sources of templates are edited.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::Report;
use crate::watch::{Changes, Files, Fingerprint, changed};

/// How often a source is looked at though nobody told of a change.
const POLL: Duration = Duration::from_secs(5);
/// An editor may write a file in several steps: it is read when it has rested for so long.
const REST: Duration = Duration::from_millis(200);

/// The tasks that look; dropping it ends them.
pub struct Sources(Vec<JoinHandle<()>>);

impl Sources {
    /// Watches the files of templates, by their numbers. With each goes what it looked like before it was read, so
    /// that no change since then is missed.
    pub fn watch(
        paths: impl Iterator<Item = Option<(PathBuf, Option<Fingerprint>)>>,
        files: &Files,
        report: &UnboundedSender<Report>,
    ) -> Self {
        let tasks = paths.enumerate().filter_map(|(template, path)| {
            let (path, known) = path?;
            let changes = files.watch(&path);
            Some(tokio::spawn(follow(template, path, known, changes, report.clone())))
        });
        Self(tasks.collect())
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

async fn follow(
    template: usize,
    path: PathBuf,
    mut known: Option<Fingerprint>,
    mut changes: Changes,
    report: UnboundedSender<Report>,
) {
    loop {
        let mut found = Fingerprint::of(&path).ok();
        if found == known {
            changed(&mut changes, POLL).await;
            continue;
        }
        loop {
            tokio::time::sleep(REST).await;
            let later = Fingerprint::of(&path).ok();
            if later == found {
                break;
            }
            found = later;
        }
        known = found;
        // A file that is gone may be on its way to be replaced; the template that was read stays good.
        if found.is_some() && report.send(Report::Source(template)).is_err() {
            return;
        }
    }
}
