//! Three servers of one process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use consul_raft::memory::Hub;
use consul_raft::{
    Bootstrap, Config, Limits, Peer, ProposeError, RaftHandle, ReadError, Role, SnapshotPolicy, Storage,
};

use crate::journal::{Handle, Journal, LIMIT, command, eventually, frequent_snapshots, peer, test_timing};

pub struct Server {
    pub peer: Peer,
    pub raft: Handle,
    pub journal: Arc<Journal>,
}

pub async fn start(
    hub: &Hub,
    number: u128,
    bootstrap: Bootstrap,
    storage: Storage,
    snapshots: SnapshotPolicy,
) -> Server {
    let peer = peer(number);
    let config = Config {
        me: peer.clone(),
        storage,
        bootstrap,
        timing: test_timing(),
        limits: Limits::default(),
        snapshots,
    };
    let journal = Arc::new(Journal::default());
    let raft = RaftHandle::open(config, journal.clone(), hub.transport(&peer.address)).await.unwrap();
    hub.join(&peer.address, &raft);
    Server { peer, raft, journal }
}

pub async fn three(hub: &Hub) -> Vec<Server> {
    let servers = vec![peer(1), peer(2), peer(3)];
    let mut started = Vec::new();
    for number in 1..=3 {
        let bootstrap = Bootstrap::Servers(servers.clone());
        started.push(start(hub, number, bootstrap, Storage::Memory, SnapshotPolicy::default()).await);
    }
    started
}

/// The server that leads, once one may answer reads.
pub async fn leader(servers: &[Server]) -> usize {
    let mut found = 0;
    eventually("a leader", || {
        let position = servers.iter().position(|server| server.raft.check_lease().is_ok());
        found = position.unwrap_or(0);
        position.is_some()
    })
    .await;
    found
}

pub async fn all_have(servers: &[Server], commands: &[&str]) {
    eventually("all servers have all commands", || {
        servers.iter().all(|server| server.journal.commands() == commands)
    })
    .await;
}

async fn shutdown(servers: Vec<Server>) {
    for server in servers {
        server.raft.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_replicate_and_fail_over() {
    let hub = Hub::default();
    let mut servers = three(&hub).await;
    let first = leader(&servers).await;
    assert_eq!(servers[first].raft.propose(command("one")).await, Ok(1));
    all_have(&servers, &["one"]).await;

    let follower = &servers[(first + 1) % 3].raft;
    eventually("the follower knows the leader", || follower.leader() == Some(servers[first].peer.clone()))
        .await;
    let forwarded = follower.propose(command("elsewhere")).await;
    assert_eq!(forwarded, Err(ProposeError::ForwardTo(servers[first].peer.clone())));
    assert_eq!(follower.check_lease(), Err(ReadError::ForwardTo(servers[first].peer.clone())));
    assert!(follower.last_contact().is_some_and(|contact| contact < LIMIT));

    let dead = servers.remove(first);
    hub.leave(&dead.peer.address);
    dead.raft.shutdown().await;
    let second = leader(&servers).await;
    assert_eq!(servers[second].raft.propose(command("two")).await, Ok(2));
    servers[second].raft.ensure_linearizable().await.unwrap();
    all_have(&servers, &["one", "two"]).await;
    shutdown(servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_quorum_answers_neither_reads_nor_writes_before_another_leads() {
    let hub = Hub::default();
    let servers = three(&hub).await;
    let old = leader(&servers).await;
    servers[old].raft.propose(command("kept")).await.unwrap();
    all_have(&servers, &["kept"]).await;
    hub.cut(&servers[old].peer.address);

    let lost = {
        let raft = servers[old].raft.clone();
        tokio::spawn(async move { raft.propose(command("lost")).await })
    };
    let mut new = None;
    eventually("another leader", || {
        // The old lease must have ended at any moment at which a new leader answers.
        new = servers
            .iter()
            .enumerate()
            .position(|(at, server)| at != old && server.raft.check_lease().is_ok());
        new.is_none() || servers[old].raft.check_lease().is_err()
    })
    .await;
    eventually("another leader", || {
        new = servers
            .iter()
            .enumerate()
            .position(|(at, server)| at != old && server.raft.check_lease().is_ok());
        new.is_some()
    })
    .await;
    assert_eq!(servers[old].raft.check_lease(), Err(ReadError::NoLeader));
    let refused = servers[old].raft.propose(command("refused")).await;
    assert_eq!(refused, Err(ProposeError::NoLeader));
    let answer = tokio::time::timeout(LIMIT, lost).await.unwrap().unwrap();
    assert_eq!(answer, Err(ProposeError::LeadershipLost));

    let new = new.unwrap();
    servers[new].raft.propose(command("won")).await.unwrap();
    hub.heal(&servers[old].peer.address);
    all_have(&servers, &["kept", "won"]).await;
    shutdown(servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_moves_to_the_server_that_is_asked() {
    let hub = Hub::default();
    let servers = three(&hub).await;
    let old = leader(&servers).await;
    servers[old].raft.propose(command("one")).await.unwrap();
    all_have(&servers, &["one"]).await;
    let target = servers[(old + 1) % 3].peer.clone();
    servers[old].raft.transfer(Some(target.id)).await.unwrap();
    let new = leader(&servers).await;
    assert_eq!(servers[new].peer, target);
    assert_eq!(servers[new].raft.propose(command("two")).await, Ok(2));
    all_have(&servers, &["one", "two"]).await;
    shutdown(servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_join_by_snapshot_and_leave() {
    let hub = Hub::default();
    let disk = tempfile::tempdir().unwrap();
    let at = |number: u128| Storage::Disk(disk.path().join(number.to_string()));
    let alone = Bootstrap::Servers(vec![peer(1)]);
    let mut servers = vec![start(&hub, 1, alone, at(1), frequent_snapshots()).await];
    for number in 0..60 {
        servers[0].raft.propose(command(format!("{number}"))).await.unwrap();
    }
    eventually("a snapshot", || servers[0].raft.metrics().last_snapshot_index > 0).await;
    for number in 2..=3 {
        servers.push(start(&hub, number, Bootstrap::Join, at(number), frequent_snapshots()).await);
        let (first, joined) = (&servers[0].raft, peer(number));
        first.add_voter(&joined, LIMIT).await.unwrap();
    }
    let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    all_have(&servers, &expected.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(servers[0].raft.metrics().peers(peer(1).id), 2);
    assert!(snapshot_exists(&disk.path().join("3")));

    let first = leader(&servers).await;
    let removed = (first + 1) % 3;
    servers[first].raft.remove(servers[removed].peer.id).await.unwrap();
    assert_eq!(servers[first].raft.metrics().servers.len(), 2);
    servers[first].raft.propose(command("after")).await.unwrap();

    // Restarted from their disks, they agree without outside help.
    let kept: Vec<u128> = (0..3).filter(|at| *at != removed).map(|at| at as u128 + 1).collect();
    shutdown(servers).await;
    let mut again = Vec::new();
    for number in kept {
        again.push(start(&hub, number, Bootstrap::Join, at(number), frequent_snapshots()).await);
    }
    leader(&again).await;
    eventually("both have the last command", || {
        again.iter().all(|server| server.journal.commands().last().is_some_and(|last| last == "after"))
    })
    .await;
    shutdown(again).await;
}

fn snapshot_exists(directory: &Path) -> bool {
    std::fs::read_dir(directory.join("snapshots")).unwrap().next().is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lags_behind_the_log_gets_a_snapshot() {
    let hub = Hub::default();
    let servers: Vec<Peer> = (1..=3).map(peer).collect();
    let mut started = Vec::new();
    for number in 1..=3 {
        let bootstrap = Bootstrap::Servers(servers.clone());
        started.push(start(&hub, number, bootstrap, Storage::Memory, frequent_snapshots()).await);
    }
    let first = leader(&started).await;
    let lagging = (first + 1) % 3;
    hub.cut(&started[lagging].peer.address);
    for number in 0..100 {
        started[first].raft.propose(command(format!("{number}"))).await.unwrap();
    }
    eventually("a snapshot", || started[first].raft.metrics().last_snapshot_index > 0).await;
    hub.heal(&started[lagging].peer.address);
    let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    eventually("the server caught up", || started[lagging].journal.commands() == expected).await;
    assert!(started[lagging].raft.metrics().last_snapshot_index > 0);
    shutdown(started).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_can_be_watched_to_the_end() {
    let hub = Hub::default();
    let servers = three(&hub).await;
    let first = leader(&servers).await;
    let mut watch = servers[first].raft.watch_leadership();
    let role =
        tokio::time::timeout(LIMIT, watch.wait_for(|now| now.role == Role::Leader)).await.unwrap().unwrap();
    assert_eq!(role.leader, Some(servers[first].peer.clone()));
    drop(role);
    shutdown(servers).await;
    let ended = watch.wait_for(|now| now.role == Role::Stopped);
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap().unwrap();
}
