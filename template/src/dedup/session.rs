//! The session that holds our locks.

use std::time::Duration;

use consul_api::client::retry::Backoff;
use consul_api::client::{Client, SessionKeeper, WriteOptions};
use consul_api::types::duration::Nanoseconds;
use consul_api::types::session;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Shown to operators in the list of sessions.
const NAME: &str = "Consul-Template de-duplication";

/// Keeps a session, and makes a new one whenever it is lost.
pub struct Session {
    id: watch::Receiver<Option<String>>,
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Session {
    pub fn start(client: Client, ttl: Duration) -> Self {
        let (report, id) = watch::channel(None);
        let (close, closing) = oneshot::channel();
        Self { id, close, task: tokio::spawn(keep(client, ttl, report, closing)) }
    }

    /// The session's id; none while there is none.
    pub fn id(&self) -> watch::Receiver<Option<String>> {
        self.id.clone()
    }

    /// Ends the session and with it our locks.
    pub async fn close(self) {
        let _ = self.close.send(());
        let _ = self.task.await;
    }
}

async fn keep(
    client: Client,
    ttl: Duration,
    report: watch::Sender<Option<String>>,
    mut closing: oneshot::Receiver<()>,
) {
    let wanted = session::Session {
        name: NAME.to_owned(),
        behavior: "delete".to_owned(),
        lock_delay: Nanoseconds(1_000_000),
        ..session::Session::default()
    };
    let mut backoff = Backoff::new(Duration::from_secs(1), ttl);
    loop {
        let pause = match SessionKeeper::create(&client, &wanted, ttl, WriteOptions::default()).await {
            Ok(keeper) => {
                backoff.succeeded();
                report.send_replace(Some(keeper.id().to_owned()));
                let mut gone = keeper.gone();
                let lost = async move {
                    let _ = gone.wait_for(|gone| *gone).await;
                };
                tokio::select! {
                    () = lost => {}
                    _ = &mut closing => {
                        // An agent that cannot be reached lets it expire.
                        let _ = tokio::time::timeout(Duration::from_secs(2), keeper.close()).await;
                        return;
                    }
                }
                tracing::warn!(target: "dedup", "the session was lost; making a new one");
                report.send_replace(None);
                backoff.failed()
            }
            Err(error) => {
                let pause = backoff.failed();
                tracing::warn!(target: "dedup", "could not create a session: {error} (retry after {pause:?})");
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut closing => return,
        }
    }
}
