//! The loop that a server runs: idle until it leads, then the clocks, until it leads no more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consul_state::autopilot::AutopilotCommand;
use consul_state::{Command, WatchSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::autopilot;
use super::members::Members;
use crate::rpc::RpcError;
use crate::server::Server;
use crate::server::metrics::SERVER;

/// Pause after a duty failed, before the next round.
const RETRY: Duration = Duration::from_secs(1);
/// How often the members are compared with the catalog, beside every change: an agent that left may have written its
/// registration, and with that its node, while it shut down.
const RECONCILE: Duration = Duration::from_secs(10);

/// Pause before a leader that has lost its quorum tries again to begin its term.
const BARRIER_PAUSE: Duration = Duration::from_millis(100);

/// Runs until `stop`.
pub async fn run(server: Arc<Server>, members: Arc<dyn Members>, stop: CancellationToken) {
    let mut leadership = server.raft.watch_leadership();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = leadership.changed(), if !server.raft.is_leader() => {
                if changed.is_err() {
                    return;
                }
                continue;
            }
            () = lead(&server, members.as_ref()), if server.raft.is_leader() => {}
        }
    }
}

/// One term of leadership; returns when it is over.
async fn lead(server: &Server, members: &dyn Members) {
    let started = Instant::now();
    let term = server.raft.led_term();
    if server.raft.barrier().await.is_err() {
        return tokio::time::sleep(BARRIER_PAUSE).await;
    }
    SERVER.barrier.observe_since(started);
    info!(target: "agent.server", "cluster leadership acquired");
    members.announce_leader().await;
    server.leader.rebuild(&server.store, Instant::now());
    if server.raft.is_alone() {
        // All that was applied so far was read from the log: those delays began before this server did.
        server.leader.lock_delays.clear();
    }
    tokio::select! {
        () = perform(server, members, term) => {}
        () = autopilot::keep(server, members) => {}
    }
    server.leader.health.clear();
    info!(target: "agent.server", "cluster leadership lost");
}

/// Does what is due until this server leads no more.
async fn perform(server: &Server, members: &dyn Members, term: Option<u64>) {
    let mut changed = members.watch();
    let mut reconcile_at = Instant::now();
    let mut leadership = server.raft.watch_leadership();
    // Not just any term: of sessions that another leader opened in between, no clock runs here.
    while term.is_some() && server.raft.led_term() == term {
        if server.leader.is_void() {
            server.leader.rebuild(&server.store, Instant::now());
            reconcile_at = Instant::now();
        }
        let now = Instant::now();
        if now >= reconcile_at {
            reconcile_at = now + RECONCILE;
            let established = establish(server, members).await;
            SERVER.reconcile.observe_since(now);
            if let Err(error) = established {
                warn!(target: "agent.leader", %error, "could not bring the catalog in line with the members, will retry");
                reconcile_at = now + RETRY;
            }
        }
        if let Err(error) = perform_due(server, now).await {
            warn!(target: "agent.leader", %error, "could not carry out what is due, will retry");
            tokio::time::sleep(RETRY).await;
            server.leader.rebuild(&server.store, Instant::now());
        }
        let next = server.leader.next_due().map_or(reconcile_at, |due| due.min(reconcile_at));
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = server.leader.changed() => {}
            // The pool has ended when this fails, and with it the agent.
            Ok(()) = changed.changed() => reconcile_at = Instant::now(),
            _ = leadership.changed() => {}
        }
    }
}

/// Brings into the state what a leader must find there.
async fn establish(server: &Server, members: &dyn Members) -> Result<(), RpcError> {
    if server.store.version().autopilot(&mut WatchSet::new()).1.is_none() {
        let command = AutopilotCommand { config: server.autopilot.clone(), cas: None };
        server.propose(&Command::Autopilot(command)).await?;
    }
    server.store_bootstrap_entries().await?;
    members.reconcile(server).await
}

async fn perform_due(server: &Server, now: Instant) -> Result<(), RpcError> {
    let due = server.leader.take_due(now);
    for id in due.sessions {
        info!(target: "agent.server", session = %id, "session TTL expired");
        server.propose(&Command::SessionDestroy { id }).await?;
    }
    if let Some(index) = due.tombstones {
        server.propose(&Command::TombstoneReap { index }).await?;
    }
    Ok(())
}
