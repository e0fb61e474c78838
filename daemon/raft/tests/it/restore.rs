//! An operator replaces the state while the cluster works.

use std::fs::File;
use std::io::Write;

use consul_raft::memory::Hub;
use consul_raft::{Bootstrap, RestoreError, SnapshotError, SnapshotPolicy, Storage};

use crate::cluster::start;
use crate::journal::{RESTORED, command, eventually, open, peer, single};

fn saved(content: impl FnOnce(&mut File)) -> File {
    let mut file = tempfile::tempfile().unwrap();
    content(&mut file);
    file
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_servers_end_with_the_restored_state_and_what_came_after() {
    let hub = Hub::default();
    // One voter, so that a busy machine costs nobody the lead.
    let alone = Bootstrap::Servers(vec![peer(1)]);
    let mut servers = vec![start(&hub, 1, alone, Storage::Memory, SnapshotPolicy::default()).await];
    servers.push(start(&hub, 2, Bootstrap::Join, Storage::Memory, SnapshotPolicy::default()).await);
    let raft = servers[0].raft.clone();
    raft.add_nonvoter(&peer(2)).await.unwrap();
    // More than one piece.
    let long = "x".repeat(300_000);
    raft.propose(command(long.clone())).await.unwrap();
    raft.propose(command("kept")).await.unwrap();
    let snapshot = saved(|file| raft.save(file).unwrap());
    raft.propose(command("undone")).await.unwrap();

    let writer = {
        let raft = raft.clone();
        tokio::spawn(async move {
            for number in 0..200 {
                raft.propose(command(format!("{number}"))).await.unwrap();
            }
        })
    };
    raft.restore(snapshot).await.unwrap();
    writer.await.unwrap();
    raft.propose(command("last")).await.unwrap();

    let state = servers[0].journal.commands();
    assert_eq!(state[..3], [long.as_str(), "kept", RESTORED]);
    assert_eq!(state.last().map(String::as_str), Some("last"));
    // What was applied after the restore is there without gaps.
    let after: Vec<u32> = state[3..state.len() - 1].iter().map(|text| text.parse().unwrap()).collect();
    assert!(after.windows(2).all(|pair| pair[1] == pair[0] + 1), "{after:?}");
    assert!(after.last().is_none_or(|last| *last == 199));
    eventually("all servers agree", || servers.iter().all(|server| server.journal.commands() == state)).await;
    for server in servers {
        server.raft.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_state_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, journal) = open(single(directory.path())).await;
    raft.propose(command("kept")).await.unwrap();
    let snapshot = saved(|file| raft.save(file).unwrap());
    raft.propose(command("undone")).await.unwrap();
    raft.restore(snapshot).await.unwrap();
    raft.propose(command("after")).await.unwrap();
    let expected = ["kept", RESTORED, "after"];
    assert_eq!(journal.commands(), expected);
    raft.shutdown().await;
    let (raft, journal) = open(single(directory.path())).await;
    assert_eq!(journal.commands(), expected);
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_snapshot_is_refused_and_the_state_stays() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, journal) = open(single(directory.path())).await;
    raft.propose(command("kept")).await.unwrap();
    let before = raft.metrics().last_log_index;

    let garbage = saved(|file| file.write_all(&[7; 5000]).unwrap());
    let refused = raft.restore(garbage).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Snapshot(SnapshotError::Archive(_))), "{refused:?}");

    let mut whole = Vec::new();
    raft.save(&mut whole).unwrap();
    let cut = saved(|file| file.write_all(&whole[..whole.len() - 1]).unwrap());
    assert!(matches!(raft.restore(cut).await, Err(RestoreError::Snapshot(_))));

    assert_eq!(journal.commands(), ["kept"]);
    assert_eq!(raft.metrics().last_log_index, before, "nothing was proposed");
    raft.shutdown().await;
}
