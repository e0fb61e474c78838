//! Deregisters services whose checks have been critical for longer than their owner wanted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::sync;
use crate::agent::Agent;

/// How often critical checks are looked at.
const INTERVAL: Duration = Duration::from_secs(30);

/// Runs until `stop`.
pub async fn run(agent: Arc<Agent>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => reap(&agent).await,
        }
    }
}

async fn reap(agent: &Arc<Agent>) {
    let overdue = agent.services.book.read(|state| state.overdue_services(Instant::now()));
    for id in &overdue {
        match agent.services.remove_service(id) {
            Ok(()) => {
                info!(target: "agent", service = %id, "service was critical for too long, deregistered it")
            }
            Err(failure) => {
                error!(target: "agent", service = %id, error = %failure, "could not deregister a critical service");
            }
        }
    }
    if !overdue.is_empty() {
        sync::push(agent).await;
    }
}
