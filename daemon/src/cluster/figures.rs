//! What gossip, calls and consensus count, as metrics under the names that dashboards know.
//!
//! The parts count by themselves and know nothing of metrics; here their totals are looked at steadily, and what was
//! added since the last time is handed on.

use std::sync::Arc;
use std::time::Duration;

use consul_gossip::pool::Pool;
use consul_gossip::serf::MemberStatus;
use consul_gossip::swim;
use consul_raft::Role;
use consul_rpc::{CounterValues, Counters as RpcCounters};
use consul_telemetry::metrics::{
    Counter, Gauge, Sample, counter, counter_with, gauge, gauge_with, sample_with,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::gossip::Gossip;
use crate::server::Server;

/// Twice within each interval of the metrics.
const PERIOD: Duration = Duration::from_secs(5);

/// Hands on the figures of the pools and, on a server, of its port, until `stop`.
pub async fn run(gossip: Arc<Gossip>, port: Option<Arc<RpcCounters>>, stop: CancellationToken) {
    let mut pools = vec![PoolFigures::new(gossip.lan.clone(), "lan")];
    pools.extend(gossip.wan.clone().map(|wan| PoolFigures::new(wan, "wan")));
    let mut port = port.map(PortFigures::new);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for pool in &mut pools {
            pool.look().await;
        }
        if let Some(port) = &mut port {
            port.look();
        }
    }
}

fn add(counter: &Counter, total: u64, before: u64) {
    let more = total.saturating_sub(before);
    if more > 0 {
        counter.incr_by(more as f64);
    }
}

/// Dashboards know members that failed as dead.
const STATES: [(MemberStatus, &str); 3] =
    [(MemberStatus::Alive, "alive"), (MemberStatus::Failed, "dead"), (MemberStatus::Left, "left")];

struct PoolFigures {
    pool: Pool,
    before: swim::Counters,
    udp: [Counter; 2],
    tcp_bytes: [Counter; 2],
    accepted: Counter,
    connected: Counter,
    health: Gauge,
    members: [Gauge; STATES.len()],
    queues: [Sample; 3],
}

impl PoolFigures {
    fn new(pool: Pool, network: &str) -> Self {
        let labels = [("network", network)];
        let counter = |name: &str| counter_with(name, &labels);
        let queue = |name: &str| sample_with(&format!("serf.queue.{name}"), &labels);
        let members = STATES.map(|(_, state)| {
            gauge_with("memberlist.node.instances", &[("network", network), ("node_state", state)])
        });
        Self {
            pool,
            before: swim::Counters::default(),
            udp: [counter("memberlist.udp.received"), counter("memberlist.udp.sent")],
            tcp_bytes: [counter("memberlist.tcp.received"), counter("memberlist.tcp.sent")],
            accepted: counter("memberlist.tcp.accept"),
            connected: counter("memberlist.tcp.connect"),
            health: gauge_with("memberlist.health.score", &labels),
            members,
            queues: ["Intent", "Event", "Query"].map(queue),
        }
    }

    /// Nothing more is seen of a pool that has ended.
    async fn look(&mut self) {
        let Ok(now) = self.pool.counters().await else { return };
        let Ok(stats) = self.pool.stats().await else { return };
        let before = std::mem::replace(&mut self.before, now.clone());
        let [received, sent] = &self.udp;
        add(received, now.bytes_in, before.bytes_in);
        add(sent, now.bytes_out, before.bytes_out);
        let [received, sent] = &self.tcp_bytes;
        add(received, now.stream_bytes_in, before.stream_bytes_in);
        add(sent, now.stream_bytes_out, before.stream_bytes_out);
        add(&self.accepted, now.streams_in, before.streams_in);
        add(&self.connected, now.streams_out, before.streams_out);
        self.health.set(f64::from(stats.health_score));
        let members = self.pool.members();
        for (gauge, (status, _)) in self.members.iter().zip(STATES) {
            gauge.set(members.iter().filter(|member| member.status == status).count() as f64);
        }
        let lengths = [stats.intent_queue, stats.event_queue, stats.query_queue];
        for (queue, length) in self.queues.iter().zip(lengths) {
            queue.observe(length as f64);
        }
    }
}

/// What arrives at a server's port.
struct PortFigures {
    counters: Arc<RpcCounters>,
    before: CounterValues,
    accepted: Counter,
    requests: Counter,
    failed: Counter,
}

impl PortFigures {
    fn new(counters: Arc<RpcCounters>) -> Self {
        Self {
            counters,
            before: CounterValues::default(),
            accepted: counter("rpc.accept_conn"),
            requests: counter("rpc.request"),
            failed: counter("rpc.request_error"),
        }
    }

    fn look(&mut self) {
        let now = self.counters.values();
        let before = std::mem::replace(&mut self.before, now);
        add(&self.accepted, now.connections_accepted, before.connections_accepted);
        add(&self.requests, now.calls, before.calls);
        add(&self.failed, now.calls_failed, before.calls_failed);
    }
}

/// Counts how often this server takes up each role, until `stop`.
pub async fn follow_roles(server: Arc<Server>, stop: CancellationToken) {
    let mut leadership = server.raft.watch_leadership();
    let leads = gauge("server.isLeader");
    let peers = gauge("raft.peers");
    let mut role = None;
    loop {
        let now = leadership.borrow_and_update().role;
        if role.replace(now) != Some(now) {
            if let Some(name) = role_name(now) {
                counter(&format!("raft.state.{name}")).incr();
            }
            leads.set(if now == Role::Leader { 1.0 } else { 0.0 });
        }
        peers.set(server.raft.metrics().servers.len() as f64);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => {}
            changed = leadership.changed() => if changed.is_err() { return },
        }
    }
}

fn role_name(role: Role) -> Option<&'static str> {
    match role {
        Role::Leader => Some("leader"),
        Role::Candidate => Some("candidate"),
        Role::Follower | Role::NonVoter => Some("follower"),
        Role::Stopped => None,
    }
}
