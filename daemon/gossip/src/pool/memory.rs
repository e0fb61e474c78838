//! Keeps the file of known members up to date, and finds the way back by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::warn;

use super::attached::Published;
use crate::serf::snapshot::SnapshotFile;

/// Changes within this time share one write.
const WRITE_DELAY: Duration = Duration::from_millis(500);

/// How the node's life in the pool goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    Leaving,
    /// It ends, perhaps to begin again.
    Ending,
}

/// Writes down what changes, until the node leaves or ends.
pub(super) async fn keep(
    mut file: SnapshotFile,
    own_name: Arc<str>,
    mut published: Published,
    mut life: watch::Receiver<Life>,
) {
    let mut failing = false;
    loop {
        let ended = tokio::select! {
            changed = published.members.changed() => changed.is_err(),
            changed = published.clocks.changed() => changed.is_err(),
            _ = life.wait_for(|life| *life != Life::Running) => true,
        };
        if !ended {
            // More may come at once; the end does not wait.
            let ending = life.wait_for(|life| *life != Life::Running);
            let _ = tokio::time::timeout(WRITE_DELAY, ending).await;
        }
        let members = Arc::clone(&published.members.borrow_and_update());
        let clocks = *published.clocks.borrow_and_update();
        let now = *life.borrow();
        let written =
            if now == Life::Leaving { file.leave() } else { file.update(&own_name, members.iter(), clocks) };
        if let Err(error) = &written
            && !failing
        {
            warn!(%error, "could not write down who is in the pool");
        }
        failing = written.is_err();
        if ended || now != Life::Running {
            return;
        }
    }
}

/// Names and addresses of those that were alive, without ours.
pub(super) fn acquaintances(file: &SnapshotFile, own_name: &str) -> Vec<(String, SocketAddr)> {
    let alive = file.remembered().alive.iter();
    alive.filter(|(name, _)| **name != *own_name).map(|(name, addr)| (name.clone(), *addr)).collect()
}
