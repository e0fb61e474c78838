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

#[cfg(test)]
pub mod tests {
    use std::time::{Duration, Instant};

    use consul_raft::{Config, NoPeers, Peer, RaftHandle, ServerId, Storage};
    use consul_state::Store;

    use super::*;
    use crate::leader::Leader;
    use crate::limits::RequestLimits;
    use crate::server::Server;
    use crate::server::machine::Machine;

    /// A server that leads itself and reaches nobody.
    pub async fn server() -> Arc<Server> {
        let (store, leader) = (Arc::new(Store::new()), Arc::new(Leader::default()));
        let me = Peer { id: ServerId::from_u128(1), address: "127.0.0.1:1".into() };
        let machine = Arc::new(Machine::new(store.clone(), leader.clone()));
        let raft = RaftHandle::open(Config::single(me, Storage::Memory), machine, Arc::new(NoPeers));
        Arc::new(Server {
            store,
            raft: raft.await.unwrap(),
            leader,
            datacenter: "dc1".into(),
            address: String::new(),
            session_ttl_min: Duration::ZERO,
            coordinates: Default::default(),
            autopilot: consul_api::types::operator::AutopilotConfig::zero(),
            bootstrap_entries: Default::default(),
            limits: RequestLimits::new(&Default::default(), Instant::now()),
            blocking: Default::default(),
            may_speak: Default::default(),
        })
    }

    async fn ended(watchdog: impl Future<Output = ()>) {
        tokio::time::timeout(Duration::from_secs(20), watchdog).await.expect("the watchdog still runs");
    }

    #[tokio::test]
    async fn an_agent_without_consensus_ends() {
        let (server, stop) = (server().await, CancellationToken::new());
        server.raft.shutdown().await;
        ended(run(server, stop.clone())).await;
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn configured_entries_are_stored_once_and_changes_of_them_stay() {
        let server = server().await;
        let entry = |protocol: &str| {
            let document =
                serde_json::json!({"kind": "service-defaults", "name": "web", "protocol": protocol});
            crate::config_entries::decode(document.as_object().unwrap()).unwrap()
        };
        let stored = || {
            let version = server.store.version();
            let (_, entry) = version.config_entry("service-defaults", "web", &mut Default::default());
            entry.map(|entry| entry.fields["Protocol"].clone())
        };
        for protocol in ["http", "tcp"] {
            server.bootstrap_entries.store(Arc::new(vec![entry(protocol)]));
            server.store_bootstrap_entries().await.unwrap();
            assert_eq!(stored(), Some("http".into()));
        }
        server.raft.shutdown().await;
    }
}
