//! Which servers are healthy, and the next change the leader should make to its cluster.
//!
//! Pure: time, members and figures come in, a report with at most one action goes out. One at a time, because each
//! change of the membership needs a quorum of its own, and what is right next depends on how it ended. The caller
//! runs it on the leader alone and starts anew with each leadership: stability is what this leader itself has seen.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::types::{Peer, ServerId};

/// The operators' part: the autopilot configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether failed servers are removed without an operator.
    pub cleanup_dead_servers: bool,
    /// A server that heard its leader longer ago is unhealthy.
    pub last_contact_threshold: Duration,
    /// A server that is more entries behind is unhealthy.
    pub max_trailing_logs: u64,
    /// Failed servers stay if fewer voters would be left; 0 for no such bound.
    pub min_quorum: usize,
    /// How long a new server must be healthy before it gets a vote.
    pub stabilization: Duration,
}

/// What gossip says of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Alive,
    Leaving,
    Left,
    Failed,
    /// In the raft configuration, but not known to gossip.
    Unknown,
}

impl Status {
    /// As the health endpoint spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Failed => "failed",
            Self::Unknown => "none",
        }
    }
}

/// A server as gossip knows it.
#[derive(Clone, Debug)]
pub struct Member {
    pub peer: Peer,
    pub name: String,
    pub version: String,
    pub status: Status,
    /// Whether it was started as a server that never votes.
    pub read_replica: bool,
    /// What it answered when it was last asked; `None` if it did not.
    pub stats: Option<Stats>,
}

/// A server's figures about its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Since it heard from the leader; `None` if never.
    pub last_contact: Option<Duration>,
    pub last_term: u64,
    pub last_index: u64,
}

/// A server of the raft configuration.
#[derive(Clone, Debug)]
pub struct Configured {
    pub peer: Peer,
    pub voter: bool,
}

/// Everything the leader knows at one moment.
#[derive(Clone, Debug)]
pub struct View<'a> {
    pub leader: ServerId,
    /// The end of the leader's log.
    pub last_term: u64,
    pub last_index: u64,
    pub members: &'a [Member],
    pub configuration: &'a [Configured],
}

/// A moment on both clocks: one measures, the other is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub instant: Instant,
    pub wall: SystemTime,
}

/// The health of one server of the raft configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHealth {
    pub peer: Peer,
    pub name: String,
    pub status: Status,
    pub version: String,
    pub leader: bool,
    pub voter: bool,
    pub read_replica: bool,
    /// `None`: it could not be asked.
    pub stats: Option<Stats>,
    pub healthy: bool,
    /// Since when `healthy` is what it is; `None` if the server could never be asked.
    pub stable_since: Option<SystemTime>,
}

/// The next change to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A known server has a new address.
    Move(Peer),
    /// A new server: it gets the log, and later a vote.
    Add(Peer),
    /// It was healthy for long enough to vote.
    Promote(ServerId),
    Remove(ServerId, Removal),
}

/// Why a server is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It said goodbye.
    Left,
    /// Another server has its address now.
    Replaced,
    /// It failed, or gossip does not know it any more.
    Dead,
}

/// What one look at the cluster found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub servers: Vec<ServerHealth>,
    /// Whether all servers are healthy.
    pub healthy: bool,
    /// How many healthy voters may fail before the quorum is lost.
    pub failure_tolerance: usize,
    pub action: Option<Action>,
    /// Dead servers that stay, because removing them would be the greater risk.
    pub kept_dead: usize,
}

/// Remembers since when each server is healthy or not.
#[derive(Clone, Debug, Default)]
pub struct Autopilot {
    known: BTreeMap<ServerId, Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    healthy: bool,
    since: Moment,
}

impl Autopilot {
    /// Looks at the cluster. Call it every few seconds, and again after an action was carried out.
    pub fn step(&mut self, now: Moment, settings: &Settings, view: &View<'_>) -> Report {
        let servers: Vec<ServerHealth> =
            view.configuration.iter().map(|server| assess(settings, view, server)).collect();
        self.remember(now, &servers);
        let dead = dead(view, &servers);
        let cleanup = may_clean_up(settings, view.configuration, &dead);
        let action = self.next_action(now, settings, view, &servers, dead.first().filter(|_| cleanup));
        let kept_dead = if cleanup { 0 } else { dead.len() };
        let servers = self.with_stability(servers);
        let voters = servers.iter().filter(|server| server.voter);
        let healthy_voters = voters.clone().filter(|server| server.healthy).count();
        Report {
            healthy: !servers.is_empty() && servers.iter().all(|server| server.healthy),
            failure_tolerance: healthy_voters.saturating_sub(voters.count() / 2 + 1),
            servers,
            action,
            kept_dead,
        }
    }

    fn remember(&mut self, now: Moment, servers: &[ServerHealth]) {
        self.known.retain(|id, _| servers.iter().any(|server| server.peer.id == *id));
        for server in servers {
            let fresh = Known { healthy: server.healthy, since: now };
            let known = self.known.entry(server.peer.id).or_insert(fresh);
            if known.healthy != server.healthy {
                *known = fresh;
            }
        }
    }

    fn with_stability(&self, servers: Vec<ServerHealth>) -> Vec<ServerHealth> {
        let since = |server: &ServerHealth| {
            self.known.get(&server.peer.id).filter(|_| server.stats.is_some()).map(|known| known.since.wall)
        };
        servers.into_iter().map(|server| ServerHealth { stable_since: since(&server), ..server }).collect()
    }

    fn next_action(
        &self,
        now: Moment,
        settings: &Settings,
        view: &View<'_>,
        servers: &[ServerHealth],
        dead: Option<&ServerId>,
    ) -> Option<Action> {
        let alive = || view.members.iter().filter(|member| member.status == Status::Alive);
        let configured = |id| view.configuration.iter().find(|server| server.peer.id == id);
        let removed = |id: &ServerId, why| Action::Remove(*id, why);
        if let Some(left) = gone(view, servers, |server| server.status == Status::Left) {
            return Some(removed(&left, Removal::Left));
        }
        let taken = |server: &ServerHealth| {
            server.status != Status::Alive
                && alive().any(|member| {
                    member.peer.address == server.peer.address && member.peer.id != server.peer.id
                })
        };
        if let Some(replaced) = gone(view, servers, taken) {
            return Some(removed(&replaced, Removal::Replaced));
        }
        for Member { peer, .. } in alive() {
            match configured(peer.id) {
                None => return Some(Action::Add(peer.clone())),
                Some(server) if server.peer.address != peer.address => {
                    return Some(Action::Move(peer.clone()));
                }
                Some(_) => {}
            }
        }
        if let Some(dead) = dead {
            return Some(removed(dead, Removal::Dead));
        }
        let promotable = |server: &&ServerHealth| !server.voter && !server.read_replica && server.healthy;
        let stable = |server: &&ServerHealth| {
            let known = self.known.get(&server.peer.id);
            known.is_some_and(|known| {
                now.instant.duration_since(known.since.instant) >= settings.stabilization
            })
        };
        let ready = servers.iter().filter(promotable).find(stable);
        ready.map(|server| Action::Promote(server.peer.id))
    }
}

fn assess(settings: &Settings, view: &View<'_>, server: &Configured) -> ServerHealth {
    let member = view.members.iter().find(|member| member.peer.id == server.peer.id);
    let status = member.map_or(Status::Unknown, |member| member.status);
    let leader = server.peer.id == view.leader;
    let stats = match leader {
        true => Some(Stats {
            last_contact: Some(Duration::ZERO),
            last_term: view.last_term,
            last_index: view.last_index,
        }),
        false => member.and_then(|member| member.stats),
    };
    let keeps_up = |stats: Stats| {
        stats.last_contact.is_some_and(|contact| contact <= settings.last_contact_threshold)
            && stats.last_term == view.last_term
            && view.last_index.saturating_sub(stats.last_index) <= settings.max_trailing_logs
    };
    ServerHealth {
        peer: server.peer.clone(),
        name: member.map(|member| member.name.clone()).unwrap_or_default(),
        status,
        version: member.map(|member| member.version.clone()).unwrap_or_default(),
        leader,
        voter: server.voter,
        read_replica: member.is_some_and(|member| member.read_replica),
        stats,
        healthy: status == Status::Alive && stats.is_some_and(keeps_up),
        stable_since: None,
    }
}

/// The first server other than the leader that is gone for this reason.
fn gone(
    view: &View<'_>,
    servers: &[ServerHealth],
    is_gone: impl Fn(&ServerHealth) -> bool,
) -> Option<ServerId> {
    let others = servers.iter().filter(|server| server.peer.id != view.leader);
    others.filter(|server| is_gone(server)).map(|server| server.peer.id).next()
}

/// Servers to clean up. Those without a vote come first: removing them risks nothing.
fn dead(view: &View<'_>, servers: &[ServerHealth]) -> Vec<ServerId> {
    let is_dead = |server: &&ServerHealth| {
        matches!(server.status, Status::Failed | Status::Unknown) && server.peer.id != view.leader
    };
    let mut dead: Vec<&ServerHealth> = servers.iter().filter(is_dead).collect();
    dead.sort_by_key(|server| server.voter);
    dead.into_iter().map(|server| server.peer.id).collect()
}

/// Whether the dead may be removed: too many at once look like a partition, not like deaths, and a cluster of a given
/// size must stay one.
fn may_clean_up(settings: &Settings, configuration: &[Configured], dead: &[ServerId]) -> bool {
    let voters = configuration.iter().filter(|server| server.voter);
    let dead_voters = voters.clone().filter(|server| dead.contains(&server.peer.id)).count();
    let voters = voters.count();
    let first_votes = dead.len() == dead_voters;
    settings.cleanup_dead_servers
        && (!first_votes
            || dead_voters <= voters.saturating_sub(1) / 2 && voters - dead_voters >= settings.min_quorum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> ServerId {
        ServerId::from_u128(number)
    }

    fn peer(number: u128) -> Peer {
        Peer { id: id(number), address: format!("10.0.0.{number}:8300") }
    }

    const GOOD: Stats =
        Stats { last_contact: Some(Duration::from_millis(20)), last_term: 3, last_index: 990 };

    fn member(number: u128, status: Status) -> Member {
        Member {
            peer: peer(number),
            name: format!("server-{number}"),
            version: "1.8.7".to_owned(),
            status,
            read_replica: false,
            stats: (status == Status::Alive).then_some(GOOD),
        }
    }

    fn settings() -> Settings {
        Settings {
            cleanup_dead_servers: true,
            last_contact_threshold: Duration::from_millis(200),
            max_trailing_logs: 250,
            min_quorum: 0,
            stabilization: Duration::from_secs(10),
        }
    }

    fn configured(voters: &[u128], others: &[u128]) -> Vec<Configured> {
        let server = |voter| move |number: &u128| Configured { peer: peer(*number), voter };
        voters.iter().map(server(true)).chain(others.iter().map(server(false))).collect()
    }

    fn view<'a>(members: &'a [Member], configuration: &'a [Configured]) -> View<'a> {
        View { leader: id(1), last_term: 3, last_index: 1000, members, configuration }
    }

    fn now() -> Moment {
        Moment { instant: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) }
    }

    fn after(moment: Moment, time: Duration) -> Moment {
        Moment { instant: moment.instant + time, wall: moment.wall + time }
    }

    fn action(members: &[Member], configuration: &[Configured], settings: &Settings) -> Option<Action> {
        Autopilot::default().step(now(), settings, &view(members, configuration)).action
    }

    fn alive(numbers: &[u128]) -> Vec<Member> {
        numbers.iter().map(|number| member(*number, Status::Alive)).collect()
    }

    #[test]
    fn health_is_contact_term_and_distance() {
        let contact = |ms| Stats { last_contact: Some(Duration::from_millis(ms)), ..GOOD };
        let table = [
            ("good", Status::Alive, Some(GOOD), true),
            ("contact at the threshold", Status::Alive, Some(contact(200)), true),
            ("contact too long ago", Status::Alive, Some(contact(201)), false),
            ("never heard a leader", Status::Alive, Some(Stats { last_contact: None, ..GOOD }), false),
            ("an earlier term", Status::Alive, Some(Stats { last_term: 2, ..GOOD }), false),
            ("as far behind as allowed", Status::Alive, Some(Stats { last_index: 750, ..GOOD }), true),
            ("too far behind", Status::Alive, Some(Stats { last_index: 749, ..GOOD }), false),
            ("not asked", Status::Alive, None, false),
            ("failed", Status::Failed, Some(GOOD), false),
        ];
        for (what, status, stats, healthy) in table {
            let members = [member(1, Status::Alive), Member { stats, ..member(2, status) }];
            let configuration = configured(&[1, 2], &[]);
            let report = Autopilot::default().step(now(), &settings(), &view(&members, &configuration));
            assert_eq!(report.servers[1].healthy, healthy, "{what}");
            assert_eq!(report.healthy, healthy, "{what}");
            assert_eq!(report.servers[1].stable_since.is_some(), stats.is_some(), "{what}");
            assert!(report.servers[0].healthy && report.servers[0].leader, "{what}");
        }
    }

    #[test]
    fn failure_tolerance_counts_healthy_voters_beyond_the_quorum() {
        let table: [(&[u128], &[u128], usize); 6] = [
            (&[1], &[], 0),
            (&[1, 2, 3], &[], 1),
            (&[1, 2, 3], &[3], 0),
            (&[1, 2, 3, 4, 5], &[], 2),
            (&[1, 2, 3, 4, 5], &[4, 5], 0),
            (&[1, 2, 3, 4, 5], &[3, 4, 5], 0),
        ];
        for (voters, failed, tolerance) in table {
            let status = |number: &u128| if failed.contains(number) { Status::Failed } else { Status::Alive };
            let members: Vec<Member> = voters.iter().map(|number| member(*number, status(number))).collect();
            let report =
                Autopilot::default().step(now(), &settings(), &view(&members, &configured(voters, &[])));
            assert_eq!(report.failure_tolerance, tolerance, "{voters:?} without {failed:?}");
        }
    }

    #[test]
    fn the_dead_are_removed_one_at_a_time_while_that_is_safe() {
        let no_cleanup = Settings { cleanup_dead_servers: false, ..settings() };
        let min_three = Settings { min_quorum: 3, ..settings() };
        let dead = |number| Some(Action::Remove(id(number), Removal::Dead));
        type Case<'a> = (&'a str, usize, &'a [u128], &'a Settings, Option<Action>);
        let table: [Case<'_>; 9] = [
            ("one of three", 3, &[3], &settings(), dead(3)),
            ("two of three", 3, &[2, 3], &settings(), None),
            ("one of two", 2, &[2], &settings(), None),
            ("one of four", 4, &[4], &settings(), dead(4)),
            ("two of four", 4, &[3, 4], &settings(), None),
            ("two of five, one after the other", 5, &[4, 5], &settings(), dead(4)),
            ("switched off", 3, &[3], &no_cleanup, None),
            ("three must stay", 3, &[3], &min_three, None),
            ("three do stay", 4, &[4], &min_three, dead(4)),
        ];
        for (what, count, failed, settings, expected) in table {
            let voters: Vec<u128> = (1..=count as u128).collect();
            let status = |number: &u128| if failed.contains(number) { Status::Failed } else { Status::Alive };
            let members: Vec<Member> = voters.iter().map(|number| member(*number, status(number))).collect();
            let configuration = configured(&voters, &[]);
            let report = Autopilot::default().step(now(), settings, &view(&members, &configuration));
            assert_eq!(report.action, expected, "{what}");
            assert_eq!(report.kept_dead, if expected.is_some() { 0 } else { failed.len() }, "{what}");
        }
    }

    #[test]
    fn a_dead_server_without_a_vote_goes_first_and_at_any_time() {
        let mut members = alive(&[1, 2]);
        members.extend([member(3, Status::Failed), member(4, Status::Failed)]);
        let removed = action(&members, &configured(&[1, 2, 3], &[4]), &settings());
        assert_eq!(removed, Some(Action::Remove(id(4), Removal::Dead)));
        // Too many voters are dead to remove one of them, but this one has no vote.
        members[1] = member(2, Status::Failed);
        let removed = action(&members, &configured(&[1, 2, 3], &[4]), &settings());
        assert_eq!(removed, Some(Action::Remove(id(4), Removal::Dead)));
    }

    #[test]
    fn a_configured_server_that_gossip_does_not_know_is_dead() {
        let removed = action(&alive(&[1, 2]), &configured(&[1, 2, 3], &[]), &settings());
        assert_eq!(removed, Some(Action::Remove(id(3), Removal::Dead)));
    }

    #[test]
    fn a_server_that_left_is_removed_even_without_cleanup() {
        let off = Settings { cleanup_dead_servers: false, min_quorum: 3, ..settings() };
        let mut members = alive(&[1, 2]);
        members.push(member(3, Status::Left));
        let removed = action(&members, &configured(&[1, 2, 3], &[]), &off);
        assert_eq!(removed, Some(Action::Remove(id(3), Removal::Left)));
    }

    #[test]
    fn the_leader_never_removes_itself() {
        let members = [member(1, Status::Failed), member(2, Status::Alive), member(3, Status::Alive)];
        assert_eq!(action(&members, &configured(&[1, 2, 3], &[]), &settings()), None);
    }

    #[test]
    fn a_new_server_is_added_and_a_moved_one_gets_its_address() {
        let added = action(&alive(&[1, 2]), &configured(&[1], &[]), &settings());
        assert_eq!(added, Some(Action::Add(peer(2))));
        let mut members = alive(&[1, 2]);
        members[1].peer.address = "10.9.9.9:8300".to_owned();
        let moved = action(&members, &configured(&[1, 2], &[]), &settings());
        assert_eq!(moved, Some(Action::Move(members[1].peer.clone())));
    }

    #[test]
    fn a_server_whose_address_another_one_took_is_removed_before_that_one_is_added() {
        let mut members = alive(&[1, 2]);
        members.push(member(3, Status::Failed));
        let taker = Member { peer: Peer { id: id(9), address: peer(3).address }, ..member(9, Status::Alive) };
        members.push(taker.clone());
        let first = action(&members, &configured(&[1, 2, 3], &[]), &settings());
        assert_eq!(first, Some(Action::Remove(id(3), Removal::Replaced)));
        let then = action(&members, &configured(&[1, 2], &[]), &settings());
        assert_eq!(then, Some(Action::Add(taker.peer)));
    }

    #[test]
    fn a_vote_is_given_after_uninterrupted_health() {
        let configuration = configured(&[1], &[2]);
        let good = alive(&[1, 2]);
        let mut bad = good.clone();
        bad[1].stats = None;
        let mut autopilot = Autopilot::default();
        let start = now();
        let mut at = |seconds, members: &[Member]| {
            let moment = after(start, Duration::from_secs(seconds));
            autopilot.step(moment, &settings(), &view(members, &configuration))
        };
        assert_eq!(at(0, &good).action, None);
        assert_eq!(at(9, &good).action, None);
        assert_eq!(at(9, &bad).action, None);
        assert_eq!(at(10, &good).action, None, "it was unhealthy in between");
        let stable = at(19, &good);
        assert_eq!(stable.action, None);
        assert_eq!(stable.servers[1].stable_since, Some(start.wall + Duration::from_secs(10)));
        assert_eq!(at(20, &good).action, Some(Action::Promote(id(2))));
    }

    #[test]
    fn a_read_replica_never_gets_a_vote_and_two_new_servers_get_it_one_by_one() {
        let mut members = alive(&[1, 2, 3, 4]);
        members[1].read_replica = true;
        let mut autopilot = Autopilot::default();
        let start = now();
        let later = after(start, Duration::from_secs(60));
        let configuration = configured(&[1], &[2, 3, 4]);
        autopilot.step(start, &settings(), &view(&members, &configuration));
        let first = autopilot.step(later, &settings(), &view(&members, &configuration)).action;
        assert_eq!(first, Some(Action::Promote(id(3))));
        let configuration = configured(&[1, 3], &[2, 4]);
        let second = autopilot.step(later, &settings(), &view(&members, &configuration)).action;
        assert_eq!(second, Some(Action::Promote(id(4))));
        let configuration = configured(&[1, 3, 4], &[2]);
        assert_eq!(autopilot.step(later, &settings(), &view(&members, &configuration)).action, None);
    }
}
