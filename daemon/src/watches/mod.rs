//! Watches of the configuration: something in the cluster changes, a handler runs.
//!
//! `definition` makes a watch of what people wrote, `subject` asks for what it watches, `handler` starts what it runs.
//! This file keeps the watches running: one task each, one handler at a time, changes meanwhile seen as one.

pub mod definition;
mod handler;
mod subject;

use std::sync::Arc;
use std::time::Duration;

use consul_config::RuntimeConfig;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::agent::Agent;
pub use definition::{Watch, WatchError};
use handler::Handler;
use subject::Progress;

/// The pause after the n-th failure in a row is this times n squared.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_secs(180);

/// The watches of one agent. Replaced as a whole by a reload.
#[derive(Default)]
pub struct Watches {
    running: Mutex<Option<CancellationToken>>,
    tasks: TaskTracker,
}

/// All watches of a configuration, or what is wrong with the first that is none.
pub fn parse(config: &RuntimeConfig) -> Result<Vec<Watch>, WatchError> {
    config.watches.iter().map(definition::parse).collect()
}

impl Watches {
    /// Ends the watches that run, handlers included, and starts `watches`.
    pub fn replace(&self, agent: &Arc<Agent>, watches: Vec<Watch>) {
        let stop = agent.stop.child_token();
        if let Some(before) = self.running.lock().replace(stop.clone()) {
            before.cancel();
        }
        for watch in watches {
            let (agent, stop) = (agent.clone(), stop.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = follow(&agent, &watch) => {}
                }
            });
        }
    }

    /// Ends all watches and waits for it.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().take() {
            running.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Runs one watch. Dropping the future ends it and kills a handler that runs.
async fn follow(agent: &Arc<Agent>, watch: &Watch) {
    let handler = match Handler::new(&watch.handler) {
        Ok(handler) => handler,
        Err(failure) => {
            error!(target: "agent", watch = watch.subject.kind(), error = %failure, "could not set up a watch handler");
            return;
        }
    };
    let mut progress = Progress::default();
    let mut failures = 0_u32;
    loop {
        match watch.subject.next(agent, watch, &mut progress).await {
            Ok(Some(change)) => {
                failures = 0;
                handler.run(change).await;
            }
            Ok(None) => failures = 0,
            Err(failure) => {
                failures = failures.saturating_add(1);
                progress.forget_index();
                let retry = backoff(failures);
                error!(
                    target: "agent.watch", r#type = watch.subject.kind(), error = %failure, ?retry, "Watch errored"
                );
                tokio::time::sleep(retry).await;
            }
        }
    }
}

fn backoff(failures: u32) -> Duration {
    RETRY.saturating_mul(failures.saturating_mul(failures)).min(RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_square_of_failures() {
        assert_eq!([1, 2, 3, 6, 7].map(|n| backoff(n).as_secs()), [5, 20, 45, 180, 180]);
        assert_eq!(backoff(u32::MAX), RETRY_MAX);
    }
}
