//! Remote execution, the side that runs: `consul exec` stores a job in the KV store and fires an event, every agent
//! that the event addresses runs the job and writes what it prints back under the caller's session.
//!
//! It hands a shell to whoever may write events and keys, so it is off unless configured.

mod job;
mod upload;

use std::sync::Arc;

use consul_api::types::event::UserEvent;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::agent::Agent;
use job::Place;

/// Name of the event that announces a job.
pub const EVENT: &str = "_rexec";
/// Jobs that run at a time; one more is refused, because its caller waits a few seconds at most.
const JOBS_MAX: usize = 32;

/// The jobs of one agent.
pub struct RemoteExec {
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Default for RemoteExec {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(JOBS_MAX)), tasks: TaskTracker::new() }
    }
}

/// What the event says: where the job is.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Announcement {
    prefix: String,
    session: String,
}

impl RemoteExec {
    /// Runs the job that `event` announces, in the background.
    pub fn accept(&self, agent: &Arc<Agent>, event: &UserEvent) {
        if agent.config.load().process.disable_remote_exec {
            debug!(target: "agent", event_id = %event.id, "ignoring remote exec event: remote execution is disabled");
            return;
        }
        debug!(target: "agent", event_id = %event.id, "received remote exec event");
        let Some(place) = place(event, agent.node_name()) else {
            warn!(target: "agent", event_id = %event.id, "failed to decode remote exec event");
            return;
        };
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            warn!(target: "agent", event_id = %event.id, jobs = JOBS_MAX, "too many remote exec jobs are running");
            return;
        };
        let agent = agent.clone();
        self.tasks.spawn(async move {
            let _slot = slot;
            tokio::select! {
                () = agent.stop.cancelled() => {}
                () = job::run(&agent, &place) => {}
            }
        });
    }

    /// Waits for all jobs to end; call after the stop signal, which kills them.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn place(event: &UserEvent, node: &str) -> Option<Place> {
    let announcement: Announcement = serde_json::from_slice(event.payload.as_slice()).ok()?;
    if announcement.session.is_empty() {
        return None;
    }
    Some(Place::new(&announcement.prefix, announcement.session, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(payload: &str) -> Option<Place> {
        let event = UserEvent { payload: payload.into(), ..UserEvent::default() };
        place(&event, "n1")
    }

    #[test]
    fn the_event_says_where_the_job_is() {
        let place = announced(r#"{"Prefix":"_rexec","Session":"s-1"}"#).unwrap();
        assert_eq!(
            (place.job().as_str(), place.output(31).as_str()),
            ("_rexec/s-1/job", "_rexec/s-1/n1/out/0001f")
        );
        assert_eq!(
            (place.ack().as_str(), place.exit().as_str()),
            ("_rexec/s-1/n1/ack", "_rexec/s-1/n1/exit")
        );
    }

    #[test]
    fn other_payloads_announce_nothing() {
        assert!(announced("").is_none());
        assert!(announced("[]").is_none());
        assert!(announced(r#"{"Prefix":"_rexec"}"#).is_none());
    }
}
