//! Tells the servers where this node lies in the network.

use std::sync::Arc;
use std::time::Duration;

use consul_api::types::coordinate::{Coordinate, NodeCoordinate};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::gossip::Gossip;
use crate::agent::Agent;
use crate::rpc::operation::coordinate::ReportCoordinate;
use crate::rpc::{ReadOptions, RpcError};

/// Reports that all servers together take in a second.
const RATE: f64 = 64.0;
/// The shortest time between two reports of one node.
const PERIOD_MIN: Duration = Duration::from_secs(15);

/// Runs until `stop`. Large clusters report more rarely.
pub async fn run(agent: Arc<Agent>, gossip: Arc<Gossip>, stop: CancellationToken) {
    loop {
        let nodes = gossip.lan.members().len();
        let period = PERIOD_MIN.max(Duration::from_secs_f64(nodes as f64 / RATE));
        let pause = period + period.mul_f64(rand::rng().random::<f64>() / 16.0);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let Ok(own) = gossip.lan.coordinate().await else { return };
        match report(&agent, own).await {
            Ok(()) => {}
            Err(error @ (RpcError::NoLeader | RpcError::NoServers)) => {
                debug!(target: "agent", %error, "could not report the coordinate");
            }
            Err(error) => warn!(target: "agent", %error, "could not report the coordinate"),
        }
    }
}

async fn report(agent: &Arc<Agent>, own: Coordinate) -> Result<(), RpcError> {
    let update =
        NodeCoordinate { node: agent.node_name().to_owned(), segment: String::new(), coord: Some(own) };
    let options = ReadOptions { token: agent.own_token(), ..ReadOptions::default() };
    agent.operate(&ReportCoordinate(update), &options).await.map(drop)
}
