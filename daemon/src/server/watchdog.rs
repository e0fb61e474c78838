//! Ends the agent when its consensus ends: a server that goes on without a log would serve what it cannot replicate.

use std::sync::Arc;

use consul_raft::Role;
use consul_telemetry::metrics;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Server;

/// Runs until `stop`, or cancels `stop` itself if consensus ended before.
pub async fn run(server: Arc<Server>, stop: CancellationToken) {
    let mut leadership = server.raft.watch_leadership();
    let mut role = None;
    loop {
        let now = leadership.borrow_and_update().role;
        if now == Role::Stopped {
            break;
        }
        if role != Some(now) {
            count(now);
            role = Some(now);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = leadership.changed() => if changed.is_err() { break },
        }
    }
    if stop.is_cancelled() {
        return;
    }
    let reason = server.raft.failure().unwrap_or_else(|| "it was stopped".to_owned());
    error!(target: "agent.server.raft", error = %reason, "consensus has ended, shutting down");
    stop.cancel();
}

fn count(role: Role) {
    let name = match role {
        Role::Leader => "raft.state.leader",
        Role::Candidate => "raft.state.candidate",
        Role::Follower => "raft.state.follower",
        Role::NonVoter | Role::Stopped => return,
    };
    metrics::counter(name).incr();
}
