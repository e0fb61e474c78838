//! The leader's care for its quorum: takes in servers that come, gives them a vote once they are stable, and takes out
//! those that left or died.
//!
//! What is right to do is decided in [`consul_raft::autopilot`]; here it gets to know the servers, and is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use consul_api::types::operator::AutopilotConfig;
use consul_raft::autopilot::{
    Action, Autopilot, Configured, Member, Moment, Removal, Report, Settings, Stats, Status, View,
};
use consul_raft::{MembershipError, Peer, ServerId};
use consul_state::WatchSet;
use futures::future::join_all;
use parking_lot::Mutex;
use tracing::{debug, error, info, warn};

use super::members::{KnownServer, Members};
use crate::cluster::ServerInfo;
use crate::server::Server;

/// How often the servers are asked how they are, beside every change of the members.
const PERIOD: Duration = Duration::from_secs(2);
/// How often servers that are not in the quorum are considered again, beside every change of the members. An operator
/// who removes a server that still runs must see it gone.
const ADMISSION_PERIOD: Duration = Duration::from_secs(60);
/// A new leader does not know all members yet, and must not take those for dead.
const CLEANUP_AFTER: Duration = Duration::from_secs(10);
/// Changes in one round. More are left for the next.
const CHANGES_MAX: usize = 32;
/// A healthy follower has heard from its leader within so many heartbeats, however strict the configuration is.
const HEARTBEATS_MISSED: u32 = 3;

/// What the last look at the servers found; nothing on a server that does not lead.
#[derive(Debug, Default)]
pub struct Health(Mutex<Option<Arc<Report>>>);

impl Health {
    pub fn report(&self) -> Option<Arc<Report>> {
        self.0.lock().clone()
    }

    fn set(&self, report: Report) {
        *self.0.lock() = Some(Arc::new(report));
    }

    pub fn clear(&self) {
        *self.0.lock() = None;
    }
}

/// Keeps the quorum for as long as it is polled: the caller drops it when this server leads no more.
pub async fn keep(server: &Server, members: &dyn Members) {
    let mut changed = members.watch();
    let mut keeper = Keeper::new(server, members);
    loop {
        changed.mark_unchanged();
        keeper.round().await;
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            changed = changed.changed() => match changed {
                Ok(()) => keeper.admission_at = Instant::now(),
                // The pool has ended, and with it the agent.
                Err(_) => return std::future::pending::<()>().await,
            },
        }
    }
}

struct Keeper<'a> {
    server: &'a Server,
    members: &'a dyn Members,
    autopilot: Autopilot,
    started: Instant,
    admission_at: Instant,
    /// What was said of servers that stay out, so that it is said once.
    told: BTreeMap<String, String>,
    /// How many dead servers were said to stay.
    kept_dead: usize,
}

/// How an attempt to change the quorum ended.
enum Attempt {
    Done,
    /// This server stays out until the next change of the members, or for a while.
    Refused(ServerId),
    /// This server may be taken in in a moment.
    NotYet(ServerId),
    /// Nothing more can be changed at present.
    Failed,
}

impl<'a> Keeper<'a> {
    fn new(server: &'a Server, members: &'a dyn Members) -> Self {
        let (autopilot, now) = (Autopilot::default(), Instant::now());
        let (told, kept_dead) = (BTreeMap::new(), 0);
        Self { server, members, autopilot, started: now, admission_at: now, told, kept_dead }
    }

    /// Looks at all servers once and makes the changes that are due.
    async fn round(&mut self) {
        // The end of the log before the others are asked: what is written meanwhile does not count against them.
        let metrics = self.server.raft.metrics();
        let end = (metrics.last_log_term, metrics.last_log_index);
        let known = self.known().await;
        let admits = Instant::now() >= self.admission_at;
        let mut refused = BTreeSet::new();
        let mut again = false;
        for _ in 0..CHANGES_MAX {
            let Some(action) = self.look(&known, end, admits, &refused) else { break };
            match self.perform(action, &known).await {
                Attempt::Done => {}
                Attempt::Refused(id) => drop(refused.insert(id)),
                Attempt::NotYet(id) => {
                    refused.insert(id);
                    again = true;
                }
                Attempt::Failed => {
                    again = true;
                    break;
                }
            }
        }
        if admits && !again {
            self.admission_at = Instant::now() + ADMISSION_PERIOD;
        }
    }

    /// The servers that gossip knows, with what those that answer say of their logs.
    async fn known(&mut self) -> Vec<(KnownServer, Member)> {
        let servers = self.told_apart();
        let (me, members) = (self.server.raft.me().to_string(), self.members);
        let asked = servers.iter().map(|server| {
            let is_asked = server.status == Status::Alive && server.info.id != me;
            async move { if is_asked { members.stats_of(&server.info).await } else { None } }
        });
        let stats = join_all(asked).await;
        let mut known = Vec::with_capacity(servers.len());
        for (server, stats) in servers.into_iter().zip(stats) {
            if let Some(member) = self.member(&server, stats) {
                known.push((server, member));
            }
        }
        known
    }

    /// The servers of this datacenter, without copies: of two with one id, that one counts which is where the quorum
    /// knows it, or none.
    fn told_apart(&mut self) -> Vec<KnownServer> {
        let servers = self.members.servers(&self.server.datacenter);
        let inside = self.server.raft.metrics().servers;
        let is_in_place = |info: &ServerInfo| {
            let mut places = inside.iter().map(|known| (known.peer.id.to_string(), &known.peer.address));
            places.any(|(id, address)| id == info.id && *address == info.address.to_string())
        };
        let mut apart = Vec::with_capacity(servers.len());
        for server in &servers {
            let info = &server.info;
            let is_twin = |other: &&ServerInfo| other.alive && other.id == info.id && other.name != info.name;
            let twin = servers.iter().map(|other| &other.info).filter(|_| info.alive).find(is_twin);
            if let Some(twin) = twin {
                let (name, address) = (&twin.name, twin.address);
                self.tell(
                    &info.name,
                    format!(
                        "server {name} ({address}) has the same node id: one data directory was copied from the \
                         other; stop the copy and empty its data directory"
                    ),
                );
            }
            if twin.is_none() || is_in_place(info) {
                apart.push(server.clone());
            }
        }
        apart
    }

    /// `None` if the server can be in no quorum of ours.
    fn member(&mut self, server: &KnownServer, stats: Option<Stats>) -> Option<Member> {
        let info = &server.info;
        let Ok(id) = info.id.parse::<ServerId>() else {
            self.tell(&info.name, format!("its node id {:?} is no UUID", info.id));
            return None;
        };
        if !info.kin {
            self.tell(
                &info.name,
                "it replicates in another way; move its data over with a snapshot".to_owned(),
            );
            return None;
        }
        Some(Member {
            peer: Peer { id, address: info.address.to_string() },
            name: info.name.clone(),
            version: info.build.clone(),
            status: server.status,
            read_replica: !info.voter,
            stats,
        })
    }

    fn tell(&mut self, name: &str, reason: String) {
        if self.told.get(name) != Some(&reason) {
            error!(target: "agent.server", server = name, %reason, "a server cannot be taken into the quorum");
            self.told.insert(name.to_owned(), reason);
        }
    }

    /// Takes one look, publishes what it finds, and returns what must be done.
    fn look(
        &mut self,
        known: &[(KnownServer, Member)],
        (last_term, last_index): (u64, u64),
        admits: bool,
        refused: &BTreeSet<ServerId>,
    ) -> Option<Action> {
        let raft = &self.server.raft;
        let configuration: Vec<Configured> = raft
            .metrics()
            .servers
            .into_iter()
            .map(|server| Configured { peer: server.peer, voter: server.voter })
            .collect();
        let is_inside = |id: ServerId| configuration.iter().any(|server| server.peer.id == id);
        let counts =
            |member: &&Member| is_inside(member.peer.id) || admits && !refused.contains(&member.peer.id);
        let members: Vec<Member> = known.iter().map(|(_, member)| member).filter(counts).cloned().collect();
        let view = View {
            leader: raft.me(),
            last_term,
            last_index,
            members: &members,
            configuration: &configuration,
        };
        let now = Moment { instant: Instant::now(), wall: SystemTime::now() };
        let mut settings = self.settings();
        settings.cleanup_dead_servers &= self.started.elapsed() >= CLEANUP_AFTER;
        let mut report = self.autopilot.step(now, &settings, &view);
        if report.kept_dead != self.kept_dead && self.started.elapsed() >= CLEANUP_AFTER {
            self.kept_dead = report.kept_dead;
            debug!(
                target: "agent.server.autopilot", dead = report.kept_dead,
                "Failed to remove dead servers: too many dead servers, or their removal is switched off"
            );
        }
        let action = report.action.take();
        self.server.leader.health.set(report);
        action
    }

    fn settings(&self) -> Settings {
        let version = self.server.store.version();
        let (_, stored) = version.autopilot(&mut WatchSet::new());
        let config = stored.map_or(&self.server.autopilot, |config| config);
        settings(config, self.server.raft.heartbeat())
    }

    async fn perform(&mut self, action: Action, known: &[(KnownServer, Member)]) -> Attempt {
        let raft = &self.server.raft;
        let result = match action {
            Action::Add(peer) => return self.admit(peer, known).await,
            Action::Move(peer) => {
                info!(target: "agent.server", id = %peer.id, address = %peer.address, "server has another address");
                raft.add_nonvoter(&peer).await
            }
            Action::Promote(id) => {
                info!(target: "agent.server.autopilot", %id, address = self.address_of(id), "Promoting server");
                raft.promote(id).await
            }
            Action::Remove(id, Removal::Dead) => {
                let address = self.address_of(id);
                info!(target: "agent.server.autopilot", %id, address, "Attempting removal of failed server node");
                raft.remove(id).await
            }
            Action::Remove(id, why) => {
                let reason = if why == Removal::Left { "left" } else { "replaced at its address" };
                info!(target: "agent.server", %id, reason, "removing server by ID");
                raft.remove(id).await
            }
        };
        conclude(result)
    }

    fn address_of(&self, id: ServerId) -> String {
        let servers = self.server.raft.metrics().servers;
        let found = servers.into_iter().find(|server| server.peer.id == id);
        found.map(|server| server.peer.address).unwrap_or_default()
    }

    /// Takes a server in, unless it has a cluster of its own.
    async fn admit(&mut self, peer: Peer, known: &[(KnownServer, Member)]) -> Attempt {
        let Some((server, _)) = known.iter().find(|(_, member)| member.peer.id == peer.id) else {
            return Attempt::Refused(peer.id);
        };
        let name = server.info.name.clone();
        match self.members.peers_of(&server.info).await {
            Ok(peers) if peers.is_empty() => {}
            // It was in this quorum before and has not noticed that it was taken out.
            Ok(peers) if peers.contains(&self.server.address) => {}
            Ok(peers) => {
                self.tell(
                    &name,
                    format!(
                        "it has a cluster of its own ({}): stop it, remove 'raft' from its data directory (its own \
                         data is lost) and start it again without 'bootstrap'",
                        peers.join(", ")
                    ),
                );
                return Attempt::Refused(peer.id);
            }
            Err(reason) => {
                self.tell(&name, format!("it does not answer yet: {reason}"));
                return Attempt::NotYet(peer.id);
            }
        }
        self.told.remove(&name);
        info!(target: "agent.server", server = %name, id = %peer.id, address = %peer.address, "adding server to the quorum");
        conclude(self.server.raft.add_nonvoter(&peer).await)
    }
}

fn conclude(result: Result<(), MembershipError>) -> Attempt {
    match result {
        Ok(()) => Attempt::Done,
        Err(error) => {
            warn!(target: "agent.server", %error, "could not change the quorum, will try again");
            Attempt::Failed
        }
    }
}

fn settings(config: &AutopilotConfig, heartbeat: Duration) -> Settings {
    Settings {
        cleanup_dead_servers: config.cleanup_dead_servers,
        last_contact_threshold: config.last_contact_threshold.to_std().max(heartbeat * HEARTBEATS_MISSED),
        max_trailing_logs: config.max_trailing_logs,
        min_quorum: usize::try_from(config.min_quorum).unwrap_or(usize::MAX),
        stabilization: config.server_stabilization_time.to_std(),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::watch;

    use super::*;
    use crate::rpc::RpcError;
    use crate::server::watchdog::tests::server;

    /// Servers that answer what they are told to.
    struct Known {
        servers: Mutex<Vec<KnownServer>>,
        peers: Vec<String>,
        stats: Option<Stats>,
    }

    #[async_trait]
    impl Members for Known {
        async fn reconcile(&self, _: &Server) -> Result<(), RpcError> {
            Ok(())
        }

        fn watch(&self) -> watch::Receiver<Arc<[consul_gossip::serf::Member]>> {
            watch::channel(Arc::from([])).1
        }

        fn servers(&self, _: &str) -> Vec<KnownServer> {
            self.servers.lock().clone()
        }

        async fn stats_of(&self, _: &ServerInfo) -> Option<Stats> {
            self.stats
        }

        async fn peers_of(&self, _: &ServerInfo) -> Result<Vec<String>, String> {
            Ok(self.peers.clone())
        }

        async fn announce_leader(&self) {}
    }

    fn known(number: u8, status: Status) -> KnownServer {
        let info = ServerInfo {
            name: format!("s{number}"),
            id: ServerId::from_u128(number.into()).to_string(),
            datacenter: "dc1".into(),
            // The port of the first is the one that it has in its log.
            address: ([127, 0, 0, number], 1).into(),
            wan_port: None,
            bootstrap: false,
            expect: 0,
            voter: true,
            kin: true,
            build: "1.22.0".into(),
            alive: status == Status::Alive,
            left: status == Status::Left,
        };
        KnownServer { info, status }
    }

    fn members(servers: &[(u8, Status)]) -> Known {
        let servers = servers.iter().map(|(number, status)| known(*number, *status)).collect();
        Known { servers: Mutex::new(servers), peers: Vec::new(), stats: None }
    }

    fn inside(server: &Server) -> Vec<(u8, bool)> {
        let number = |id: ServerId| (1..9).find(|n| ServerId::from_u128((*n).into()) == id).unwrap_or(0);
        let servers = server.raft.metrics().servers;
        servers.into_iter().map(|server| (number(server.peer.id), server.voter)).collect()
    }

    #[tokio::test]
    async fn a_newcomer_is_taken_in_without_a_vote_and_taken_out_when_it_left() {
        let server = server().await;
        let members = members(&[(1, Status::Alive), (2, Status::Alive)]);
        let mut keeper = Keeper::new(&server, &members);
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true), (2, false)]);
        let report = server.leader.health.report().unwrap();
        let healthy: Vec<bool> = report.servers.iter().map(|server| server.healthy).collect();
        assert_eq!((healthy.as_slice(), report.healthy), (&[true, false][..], false));
        *members.servers.lock() = vec![known(1, Status::Alive), known(2, Status::Left)];
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true)]);
        server.raft.shutdown().await;
    }

    #[tokio::test]
    async fn a_server_with_a_cluster_of_its_own_stays_out() {
        let server = server().await;
        let members = Known {
            peers: vec!["10.9.9.9:8300".into()],
            ..members(&[(1, Status::Alive), (2, Status::Alive)])
        };
        let mut keeper = Keeper::new(&server, &members);
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true)]);
        assert!(keeper.told["s2"].contains("has a cluster of its own (10.9.9.9:8300)"), "{:?}", keeper.told);
        server.raft.shutdown().await;
    }

    #[tokio::test]
    async fn a_copy_of_a_server_does_not_move_it() {
        let server = server().await;
        let members = members(&[(1, Status::Alive), (2, Status::Alive)]);
        let mut keeper = Keeper::new(&server, &members);
        keeper.round().await;
        let mut copy = known(2, Status::Alive);
        copy.info.name = "copy".into();
        copy.info.address = ([127, 0, 0, 9], 1).into();
        members.servers.lock().insert(0, copy);
        keeper.admission_at = Instant::now();
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true), (2, false)]);
        assert_eq!(server.raft.metrics().servers[1].peer.address, "127.0.0.2:1");
        assert!(keeper.told["copy"].contains("same node id"), "{:?}", keeper.told);
        server.raft.shutdown().await;
    }

    #[tokio::test]
    async fn a_server_that_an_operator_removed_is_not_taken_in_at_once() {
        let server = server().await;
        let members = members(&[(1, Status::Alive), (2, Status::Alive)]);
        let mut keeper = Keeper::new(&server, &members);
        keeper.round().await;
        server.raft.remove(ServerId::from_u128(2)).await.unwrap();
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true)]);
        keeper.admission_at = Instant::now();
        keeper.round().await;
        assert_eq!(inside(&server), [(1, true), (2, false)]);
        server.raft.shutdown().await;
    }

    #[test]
    fn a_threshold_that_no_heartbeat_could_keep_is_not_applied() {
        let threshold = |heartbeat| {
            let heartbeat = Duration::from_millis(heartbeat);
            settings(&AutopilotConfig::default(), heartbeat).last_contact_threshold.as_millis()
        };
        assert_eq!((threshold(50), threshold(200)), (200, 600));
    }
}
