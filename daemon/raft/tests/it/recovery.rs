//! Clusters that lost their quorum, and what is stored of them.

use std::path::Path;

use consul_raft::memory::Hub;
use consul_raft::offline::{self, OfflineError, StoredPeer};
use consul_raft::{Bootstrap, OpenError, ProposeError, Storage};

use crate::cluster::{Server, leader, start};
use crate::journal::{command, eventually, frequent_snapshots, open, peer, single};

fn voter(number: u128) -> StoredPeer {
    StoredPeer { peer: peer(number), voter: true }
}

/// Addresses as they must look in a list of servers.
fn listed(number: u128) -> StoredPeer {
    let mut stored = voter(number);
    stored.peer.address = format!("127.0.0.1:{}", 8000 + number);
    stored
}

async fn at(hub: &Hub, number: u128, bootstrap: Bootstrap, disk: &Path) -> Server {
    let storage = Storage::Disk(disk.join(number.to_string()));
    start(hub, number, bootstrap, storage, frequent_snapshots()).await
}

/// Three servers wrote `count` commands and ended.
async fn lost_cluster(hub: &Hub, disk: &Path, count: usize) {
    let mut servers = Vec::new();
    for number in 1..=3 {
        servers.push(at(hub, number, Bootstrap::Servers((1..=3).map(peer).collect()), disk).await);
    }
    for number in 0..count {
        // On a busy machine another may lead by now; what was refused for want of a leader was not written.
        while let Err(refused) =
            servers[leader(&servers).await].raft.propose(command(format!("{number}"))).await
        {
            assert!(matches!(refused, ProposeError::NoLeader | ProposeError::ForwardTo(_)), "{refused}");
        }
    }
    eventually("all have all", || servers.iter().all(|server| server.journal.commands().len() == count))
        .await;
    for server in servers {
        hub.leave(&server.peer.address);
        server.raft.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_left_alone_becomes_a_cluster_by_a_peers_file() {
    let (hub, disk) = (Hub::default(), tempfile::tempdir().unwrap());
    lost_cluster(&hub, disk.path(), 50).await;
    let directory = disk.path().join("2");
    let id = peer(2).id;
    let file = format!(r#"[{{"id": "{id}", "address": "127.0.0.1:8302", "non_voter": false}}]"#);
    std::fs::write(directory.join("peers.json"), file).unwrap();

    let server = at(&hub, 2, Bootstrap::Join, disk.path()).await;
    assert!(server.raft.is_leader(), "nobody else can vote");
    assert_eq!(server.journal.commands().len(), 50);
    assert_eq!(server.raft.propose(command("after")).await, Ok(51));
    let servers = server.raft.metrics().servers;
    assert_eq!(servers.len(), 1);
    assert_eq!(servers[0].peer.address, "127.0.0.1:8302");
    assert!(!directory.join("peers.json").exists(), "applied once");
    server.raft.shutdown().await;

    let again = at(&hub, 2, Bootstrap::Join, disk.path()).await;
    assert_eq!(again.journal.commands().len(), 51);
    again.raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_are_left_agree_on_the_more_complete_log() {
    let (hub, disk) = (Hub::default(), tempfile::tempdir().unwrap());
    lost_cluster(&hub, disk.path(), 5).await;
    // Servers 2 and 3 go on without 1, which misses what they write.
    let mut servers = Vec::new();
    for number in 2..=3 {
        servers.push(at(&hub, number, Bootstrap::Join, disk.path()).await);
    }
    let first = leader(&servers).await;
    servers[first].raft.propose(command("late")).await.unwrap();
    eventually("both have it", || servers.iter().all(|server| server.journal.commands().len() == 6)).await;
    for server in servers {
        hub.leave(&server.peer.address);
        server.raft.shutdown().await;
    }
    // Server 3 burns down.
    for number in 1..=2 {
        let directory = disk.path().join(number.to_string());
        let servers: Vec<String> = (1..=2)
            .map(|number| format!(r#"{{"id": "{}", "address": "127.0.0.1:830{number}"}}"#, peer(number).id))
            .collect();
        std::fs::write(directory.join("peers.json"), format!("[{}]", servers.join(","))).unwrap();
    }
    let mut left = Vec::new();
    for number in 1..=2 {
        let server = at(&hub, number, Bootstrap::Join, disk.path()).await;
        hub.join(&format!("127.0.0.1:830{number}"), &server.raft);
        left.push(server);
    }
    leader(&left).await;
    eventually("both have the late write", || {
        left.iter().all(|server| server.journal.commands().last().is_some_and(|last| last == "late"))
    })
    .await;
    for server in left {
        server.raft.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_recovers_and_keeps_a_copy() {
    let (hub, disk) = (Hub::default(), tempfile::tempdir().unwrap());
    lost_cluster(&hub, disk.path(), 40).await;
    let directory = disk.path().join("1");
    let before = offline::inspect(&directory).await.unwrap();
    assert_eq!(before.servers, [voter(1), voter(2), voter(3)]);
    assert_eq!(before.server, Some(peer(1).id));
    assert!(before.term >= 1 && before.last.unwrap().index >= 40);
    let snapshot = before.snapshot.clone().unwrap();
    assert!(snapshot.bytes.is_some_and(|bytes| bytes > 0) && snapshot.last.unwrap().index >= 20);

    let recovered = offline::recover(&directory, &[listed(1)]).await.unwrap();
    assert_eq!(recovered.before, before.servers);
    let after = offline::inspect(&directory).await.unwrap();
    assert_eq!(after.servers, [listed(1)]);
    assert_eq!((after.last, after.term), (before.last, before.term), "nothing else changed");
    let copy = offline::inspect(&recovered.backup).await.unwrap();
    assert_eq!(copy.servers, before.servers);
    assert_eq!(copy.snapshot.unwrap().bytes, snapshot.bytes);

    let server = at(&hub, 1, Bootstrap::Join, disk.path()).await;
    assert_eq!(server.journal.commands().len(), 40);
    assert_eq!(server.raft.propose(command("after")).await, Ok(41));
    server.raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_in_use_and_unusable_lists_are_refused_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = offline::inspect(directory.path()).await;
    assert!(matches!(nothing, Err(OfflineError::Nothing { .. })), "{nothing:?}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "looking creates nothing");

    let (raft, _) = open(single(directory.path())).await;
    let in_use = offline::recover(directory.path(), &[listed(1)]).await;
    assert!(matches!(in_use, Err(OfflineError::Open(OpenError::InUse { .. }))), "{in_use:?}");
    raft.shutdown().await;

    let replica = StoredPeer { voter: false, ..listed(1) };
    let no_port = StoredPeer { peer: peer(1), voter: true };
    let lists =
        [vec![], vec![replica], vec![listed(2)], vec![listed(1), listed(1)], vec![listed(1), no_port]];
    for list in lists {
        let refused = offline::recover(directory.path(), &list).await;
        assert!(matches!(refused, Err(OfflineError::Peers(_))), "{list:?}: {refused:?}");
    }
    for file in ["", "{}", "[1]", r#"["127.0.0.1:9999"]"#, r#"[{"id": "x", "address": "127.0.0.1:1"}]"#] {
        std::fs::write(directory.path().join("peers.json"), file).unwrap();
        let refused = offline::read_peers(&directory.path().join("peers.json"), &[listed(1)]);
        assert!(matches!(refused, Err(OfflineError::PeersFile { .. })), "{file}: {refused:?}");
    }
    std::fs::write(directory.path().join("peers.json"), r#"["127.0.0.1:8001"]"#).unwrap();
    let by_address = offline::read_peers(&directory.path().join("peers.json"), &[listed(1)]).unwrap();
    assert_eq!(by_address, [listed(1)]);
    assert_eq!(offline::inspect(directory.path()).await.unwrap().servers, [voter(1)]);
}
