//! Which servers belong into the quorum: what the leader changes about it when servers come, move and go.
//!
//! Servers that fail stay in it; whether a dead one may be taken out is for autopilot to say, which counts votes.

use std::collections::BTreeMap;

use consul_raft::{Peer, ServerId, ServerMetrics};

use super::server_info::ServerInfo;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuorumChange {
    /// A server that is not in it yet: takes part without a vote at first.
    Add { name: String, peer: Peer },
    /// A server that is in it, at another address.
    Move { name: String, peer: Peer },
    /// It said goodbye, or another server has taken its address.
    Remove { id: ServerId, why: &'static str },
    /// It cannot be taken in.
    Refuse { name: String, why: String },
}

/// What must change so that the quorum fits the servers of the own datacenter that gossip knows.
pub fn changes(leader: ServerId, servers: &[ServerInfo], quorum: &[ServerMetrics]) -> Vec<QuorumChange> {
    let inside: BTreeMap<ServerId, &ServerMetrics> =
        quorum.iter().map(|server| (server.peer.id, server)).collect();
    let mut changes = Vec::new();
    for server in servers {
        if let Some(twin) = twin_of(server, servers) {
            let why = format!(
                "server {} ({}) has the same node id: one data directory was copied from the other; stop the \
                               copy and empty its data directory",
                twin.name, twin.address
            );
            changes.push(QuorumChange::Refuse { name: server.name.clone(), why });
            continue;
        }
        let Ok(id) = server.id.parse::<ServerId>() else {
            if server.alive {
                let why = format!("its node id {:?} is no UUID", server.id);
                changes.push(QuorumChange::Refuse { name: server.name.clone(), why });
            }
            continue;
        };
        if id == leader {
            continue;
        }
        let known = inside.get(&id);
        if server.left && known.is_some() {
            changes.push(QuorumChange::Remove { id, why: "left" });
        }
        if server.alive {
            changes.extend(placing(server, id, known.copied(), quorum, servers));
        }
    }
    changes
}

/// Another server that is there with the same id: neither can be told from the other, so the quorum follows none.
fn twin_of<'a>(server: &ServerInfo, servers: &'a [ServerInfo]) -> Option<&'a ServerInfo> {
    let is_twin = |other: &&ServerInfo| other.alive && other.id == server.id && other.name != server.name;
    servers.iter().filter(|_| server.alive).find(is_twin)
}

fn placing(
    server: &ServerInfo,
    id: ServerId,
    known: Option<&ServerMetrics>,
    quorum: &[ServerMetrics],
    servers: &[ServerInfo],
) -> Vec<QuorumChange> {
    let peer = Peer { id, address: server.address.to_string() };
    let name = server.name.clone();
    match known {
        Some(known) if known.peer.address == peer.address => Vec::new(),
        Some(_) => vec![QuorumChange::Move { name, peer }],
        None if !server.kin => {
            let why = "it replicates in another way; move its data over with a snapshot".to_owned();
            vec![QuorumChange::Refuse { name, why }]
        }
        None => {
            let is_alive = |id: ServerId| {
                servers.iter().any(|other| {
                    other.alive && other.id.parse() == Ok::<_, consul_raft::ParseServerIdError>(id)
                })
            };
            // A server that lost its data comes back under another id; its former self would never answer again.
            let former = quorum
                .iter()
                .filter(|other| other.peer.address == peer.address && !is_alive(other.peer.id))
                .map(|other| QuorumChange::Remove { id: other.peer.id, why: "replaced at its address" });
            former.chain([QuorumChange::Add { name, peer: peer.clone() }]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ServerId {
        ServerId::from_u128(number.into())
    }

    fn server(number: u8, host: u8) -> ServerInfo {
        ServerInfo {
            name: format!("s{number}"),
            id: id(number).to_string(),
            datacenter: "dc1".into(),
            address: ([10, 0, 0, host], 8300).into(),
            wan_port: None,
            bootstrap: false,
            expect: 0,
            voter: true,
            kin: true,
            build: "1.22.0".into(),
            alive: true,
            left: false,
        }
    }

    fn inside(number: u8, host: u8) -> ServerMetrics {
        let peer = Peer { id: id(number), address: format!("10.0.0.{host}:8300") };
        ServerMetrics { peer, voter: true, leader: number == 1, matched_index: None }
    }

    fn plan(servers: &[ServerInfo], quorum: &[ServerMetrics]) -> Vec<QuorumChange> {
        changes(id(1), servers, quorum)
    }

    #[test]
    fn newcomers_are_added_once() {
        let peer = inside(2, 2).peer;
        let servers = [server(1, 1), server(2, 2)];
        assert_eq!(plan(&servers, &[inside(1, 1)]), [QuorumChange::Add { name: "s2".into(), peer }]);
        assert_eq!(plan(&servers, &[inside(1, 1), inside(2, 2)]), []);
    }

    #[test]
    fn a_server_that_moved_is_moved_and_one_that_left_is_removed() {
        let quorum = [inside(1, 1), inside(2, 2), inside(3, 3)];
        let gone = ServerInfo { alive: false, left: true, ..server(3, 3) };
        let moved = QuorumChange::Move { name: "s2".into(), peer: inside(2, 22).peer };
        let removed = QuorumChange::Remove { id: id(3), why: "left" };
        assert_eq!(plan(&[server(2, 22), gone], &quorum), [moved, removed]);
    }

    #[test]
    fn failed_servers_and_the_leader_itself_stay() {
        let quorum = [inside(1, 1), inside(2, 2)];
        let failed = ServerInfo { alive: false, ..server(2, 2) };
        let leaving = ServerInfo { alive: false, left: true, ..server(1, 1) };
        assert_eq!(plan(&[failed, leaving], &quorum), []);
    }

    #[test]
    fn a_server_that_lost_its_data_replaces_its_former_self() {
        let changes = plan(&[server(1, 1), server(9, 2)], &[inside(1, 1), inside(2, 2)]);
        let removed = QuorumChange::Remove { id: id(2), why: "replaced at its address" };
        let peer = Peer { id: id(9), address: "10.0.0.2:8300".into() };
        assert_eq!(changes, [removed, QuorumChange::Add { name: "s9".into(), peer }]);
    }

    #[test]
    fn a_copy_of_a_server_does_not_move_it() {
        let copy = ServerInfo { name: "copy".into(), ..server(2, 22) };
        let refused = plan(&[server(1, 1), server(2, 2), copy.clone()], &[inside(1, 1), inside(2, 2)]);
        assert!(refused.iter().all(|change| matches!(change, QuorumChange::Refuse { .. })), "{refused:?}");
        assert_eq!(refused.len(), 2);
        let failed = ServerInfo { alive: false, ..server(2, 2) };
        let moved = QuorumChange::Move { name: "copy".into(), peer: inside(2, 22).peer };
        assert_eq!(plan(&[server(1, 1), failed, copy], &[inside(1, 1), inside(2, 2)]), [moved]);
    }

    #[test]
    fn strangers_are_refused() {
        let stranger = ServerInfo { kin: false, ..server(2, 2) };
        let unnamed = ServerInfo { id: "x".into(), ..server(3, 3) };
        let refused = plan(&[stranger, unnamed], &[inside(1, 1)]);
        assert!(refused.iter().all(|change| matches!(change, QuorumChange::Refuse { .. })), "{refused:?}");
        assert_eq!(refused.len(), 2);
    }
}
