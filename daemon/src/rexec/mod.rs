//! Remote execution, the side that runs: `consul exec` stores a job in the KV store and fires an event, every agent
//! that the event addresses runs the job and writes what it prints back under the caller's session.
//!
//! It hands a shell to whoever may write events and keys, so it is off unless configured.

mod job;
mod upload;

use std::sync::Arc;

use consul_api::remote_exec::Call;
pub use consul_api::remote_exec::EVENT;
use consul_api::types::event::UserEvent;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::agent::Agent;

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

impl RemoteExec {
    /// Runs the job that `event` announces, in the background.
    pub fn accept(&self, agent: &Arc<Agent>, event: &UserEvent) {
        if agent.config.load().process.disable_remote_exec {
            debug!(target: "agent", event_id = %event.id, "ignoring remote exec event: remote execution is disabled");
            return;
        }
        debug!(target: "agent", event_id = %event.id, "received remote exec event");
        let Some(call) = announced(event) else {
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
                () = job::run(&agent, &call) => {}
            }
        });
    }

    /// Waits for all jobs to end; call after the stop signal, which kills them.
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Where the job is. Slashes at the end of the prefix were never part of the keys.
fn announced(event: &UserEvent) -> Option<Call> {
    let call: Call = serde_json::from_slice(event.payload.as_slice()).ok()?;
    let prefix = call.prefix.trim_end_matches('/').to_owned();
    (!call.session.is_empty()).then_some(Call { prefix, ..call })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job_key(payload: &str) -> Option<String> {
        let event = UserEvent { payload: payload.into(), ..UserEvent::default() };
        announced(&event).map(|call| call.job_key())
    }

    #[test]
    fn the_event_says_where_the_job_is() {
        assert_eq!(job_key(r#"{"Prefix":"_rexec","Session":"s-1"}"#).as_deref(), Some("_rexec/s-1/job"));
        assert_eq!(job_key(r#"{"Prefix":"a/","Session":"s-1"}"#).as_deref(), Some("a/s-1/job"));
    }

    #[test]
    fn other_payloads_announce_nothing() {
        for payload in ["", "[]", r#"{"Prefix":"_rexec"}"#] {
            assert_eq!(job_key(payload), None, "{payload}");
        }
    }
}
