//! Moves a client's requests to another server from time to time, so that servers that come in, or come back, get
//! their share of a fleet whose agents never restart.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio_util::sync::CancellationToken;

use super::Servers;
use super::gossip::Gossip;

/// The shortest time that one server is asked.
const PERIOD_MIN: Duration = Duration::from_secs(120);
/// Moves that each server takes in a second.
const RATE: f64 = 64.0;

/// Runs until `stop`.
pub async fn run(gossip: Arc<Gossip>, servers: Arc<Servers>, stop: CancellationToken) {
    loop {
        let known = servers.router.servers(servers.router.datacenter()).len();
        let period = period(gossip.lan.members().len(), known);
        let pause = period + period.mul_f64(rand::rng().random::<f64>() / 2.0);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = servers.rebalance() => {}
        }
    }
}

/// Large clusters move more rarely.
fn period(nodes: usize, servers: usize) -> Duration {
    PERIOD_MIN.max(Duration::from_secs_f64(nodes as f64 / (RATE * servers.max(1) as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_clusters_move_more_rarely() {
        assert_eq!(period(10, 3), PERIOD_MIN);
        assert_eq!(period(10, 0), PERIOD_MIN);
        assert_eq!(period(64_000, 5), Duration::from_secs(200));
    }
}
