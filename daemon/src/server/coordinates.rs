//! Coordinates on their way into the catalog.
//!
//! Every agent reports its own every few seconds, and a report more or less does no harm. So a server collects them
//! and writes many with one command; what exceeds a period's room is dropped, newest first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consul_api::types::coordinate::NodeCoordinate;
use consul_state::Command;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Server;

/// How many nodes one command updates.
const BATCH: usize = 128;
/// How many commands one period may take.
const BATCHES: usize = 5;

#[derive(Debug, Default)]
pub struct Coordinates {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The newest report by node and segment.
    updates: BTreeMap<(String, String), NodeCoordinate>,
    dropped: u64,
}

impl Coordinates {
    /// Takes in a report that has been checked.
    pub fn push(&self, update: NodeCoordinate) {
        let key = (update.node.to_lowercase(), update.segment.clone());
        let mut waiting = self.waiting.lock();
        if waiting.updates.len() >= BATCH * BATCHES && !waiting.updates.contains_key(&key) {
            waiting.dropped += 1;
            return;
        }
        waiting.updates.insert(key, update);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// What has been collected, in pieces that fit one command each.
    fn take(&self) -> (Vec<Vec<NodeCoordinate>>, u64) {
        let Waiting { updates, dropped } = std::mem::take(&mut *self.waiting.lock());
        let updates: Vec<NodeCoordinate> = updates.into_values().collect();
        (updates.chunks(BATCH).map(<[NodeCoordinate]>::to_vec).collect(), dropped)
    }
}

/// Writes what has been collected every `period`, until `stop`. Idle while nothing arrives.
pub async fn run(server: Arc<Server>, period: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = server.coordinates.arrived.notified() => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        let (batches, dropped) = server.coordinates.take();
        if dropped > 0 {
            warn!(target: "agent.server.coordinate", number_discarded = dropped, "Discarded coordinate updates");
        }
        for batch in batches {
            if let Err(error) = server.propose(&Command::Coordinates(batch)).await {
                warn!(target: "agent.server.coordinate", %error, "Batch update failed");
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(node: &str, height: f64) -> NodeCoordinate {
        let coord = consul_api::types::coordinate::Coordinate { height, ..Default::default() };
        NodeCoordinate { node: node.into(), coord: Some(coord), ..NodeCoordinate::default() }
    }

    #[test]
    fn the_newest_report_of_a_node_counts() {
        let coordinates = Coordinates::default();
        coordinates.push(update("a", 1.0));
        coordinates.push(update("A", 2.0));
        let (batches, dropped) = coordinates.take();
        assert_eq!((batches, dropped), (vec![vec![update("A", 2.0)]], 0));
        assert_eq!(coordinates.take(), (Vec::new(), 0));
    }

    #[test]
    fn reports_beyond_the_room_of_a_period_are_dropped() {
        let coordinates = Coordinates::default();
        for number in 0..BATCH * BATCHES + 3 {
            coordinates.push(update(&number.to_string(), 1.0));
        }
        coordinates.push(update("0", 5.0));
        let (batches, dropped) = coordinates.take();
        assert_eq!((batches.len(), dropped), (BATCHES, 3));
        assert!(batches.iter().all(|batch| batch.len() == BATCH));
    }
}
