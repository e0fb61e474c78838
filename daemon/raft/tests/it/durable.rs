//! One server with a log on disk.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consul_raft::{Config, NoPeers, OpenError, ProposeError, RaftHandle, Storage};
use futures::future::join_all;

use crate::journal::{Journal, command, eventually, open, peer, single};

async fn refusal(config: Config) -> OpenError {
    match RaftHandle::open(config, Arc::new(Journal::default()), Arc::new(NoPeers)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

fn snapshot_files(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory.join("snapshots")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "snap")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_server_leads_at_once_and_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let (raft, journal) = open(single(directory.path())).await;
        assert!(raft.is_leader());
        assert_eq!(raft.check_lease(), Ok(()));
        assert_eq!(journal.commands().len(), round - 1);
        assert_eq!(raft.propose(command(format!("{round}"))).await, Ok(round));
        raft.ensure_linearizable().await.unwrap();
        raft.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_proposed_together_are_applied_each_once_and_share_entries() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = single(directory.path());
    config.snapshots = Default::default();
    let (raft, journal) = open(config).await;
    let before = raft.metrics().last_log_index;
    let all = (0..500).map(|number| raft.propose(command(format!("{number}"))));
    let mut positions: Vec<usize> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=500).collect::<Vec<_>>());
    assert_eq!(journal.commands().len(), 500);
    let entries = raft.metrics().last_log_index - before;
    assert!(entries < 100, "{entries} entries for 500 commands");
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_purged_behind_snapshots_and_a_restart_finds_everything() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, _) = open(single(directory.path())).await;
    for number in 0..100 {
        raft.propose(command(format!("{number}"))).await.unwrap();
    }
    eventually("a snapshot", || raft.metrics().last_snapshot_index > 0).await;
    raft.shutdown().await;

    let files = snapshot_files(directory.path());
    assert_eq!(files.len(), 1, "{files:?}");
    let (raft, journal) = open(single(directory.path())).await;
    assert_eq!(journal.commands(), (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(raft.propose(command("more")).await, Ok(101));
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_or_missing_snapshot_is_refused_and_nothing_is_applied() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, _) = open(single(directory.path())).await;
    for number in 0..30 {
        raft.propose(command(format!("{number}"))).await.unwrap();
    }
    eventually("a snapshot", || raft.metrics().last_snapshot_index > 0).await;
    raft.shutdown().await;
    let path = snapshot_files(directory.path()).pop().unwrap();
    let whole = std::fs::read(&path).unwrap();

    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(20)).unwrap();
    file.write_all(b"X").unwrap();
    let damaged = refusal(single(directory.path())).await;
    assert!(matches!(&damaged, OpenError::Snapshot { path: named, .. } if *named == path), "{damaged:?}");

    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(refusal(single(directory.path())).await, OpenError::Snapshot { .. }));

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(refusal(single(directory.path())).await, OpenError::Snapshot { .. }));

    std::fs::write(&path, &whole).unwrap();
    let (raft, journal) = open(single(directory.path())).await;
    assert_eq!(journal.commands().len(), 30);
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_half_written_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, _) = open(single(directory.path())).await;
    raft.propose(command("one")).await.unwrap();
    raft.shutdown().await;
    let snapshots = directory.path().join("snapshots");
    std::fs::write(snapshots.join("incoming-abc"), "half").unwrap();
    std::fs::write(snapshots.join("9-9-9.snap"), "never named").unwrap();
    let (raft, journal) = open(single(directory.path())).await;
    assert_eq!(journal.commands(), ["one"]);
    assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 0);
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, _) = open(single(directory.path())).await;
    assert!(matches!(refusal(single(directory.path())).await, OpenError::InUse { .. }));
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_data_is_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let (raft, _) = open(single(directory.path())).await;
    raft.shutdown().await;

    let mut other = single(directory.path());
    other.me = peer(2);
    other.bootstrap = consul_raft::Bootstrap::Servers(vec![peer(2)]);
    assert!(matches!(refusal(other).await, OpenError::OtherServer { .. }));

    // The format's number is the four bytes at offset 60 of an SQLite file.
    let mut file = OpenOptions::new().write(true).open(directory.path().join("log.sqlite")).unwrap();
    file.seek(SeekFrom::Start(60)).unwrap();
    file.write_all(&99u32.to_be_bytes()).unwrap();
    let newer = refusal(single(directory.path())).await;
    assert!(matches!(newer, OpenError::Format { found: 99, expected: 1, .. }), "{newer:?}");
    assert!(newer.to_string().contains("consul snapshot save"), "{newer}");

    let text = tempfile::tempdir().unwrap();
    std::fs::write(
        text.path().join("log.sqlite"),
        "not a database, but long enough to be read as one".repeat(100),
    )
    .unwrap();
    assert!(matches!(refusal(single(text.path())).await, OpenError::NotOurs { .. }));

    let bolt = tempfile::tempdir().unwrap();
    std::fs::write(bolt.path().join("raft.db"), "").unwrap();
    let hashicorp = refusal(single(bolt.path())).await;
    assert!(matches!(hashicorp, OpenError::HashiCorp { .. }));
    assert!(hashicorp.to_string().contains("consul snapshot restore"), "{hashicorp}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_over_the_limit_is_refused_and_one_over_the_entry_size_travels_alone() {
    let mut config = Config::single(peer(1), Storage::Memory);
    config.limits.command_bytes = 1000;
    config.limits.entry_bytes = 10;
    let (raft, journal) = open(config).await;
    let refused = raft.propose(vec![b'x'; 1001].into()).await;
    assert_eq!(refused, Err(ProposeError::TooLarge { size: 1001, limit: 1000 }));
    assert_eq!(raft.propose(vec![b'x'; 1000].into()).await, Ok(1));
    assert_eq!(journal.commands().len(), 1);
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_makes_proposals_wait_and_loses_none() {
    let mut config = Config::single(peer(1), Storage::Memory);
    config.limits.queue_bytes = 1000;
    let (raft, journal) = open(config).await;
    let all = (0..200).map(|number| raft.propose(command(format!("{number:0100}"))));
    assert!(join_all(all).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(journal.commands().len(), 200);
    raft.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_memory_is_compacted_too() {
    let mut config = Config::single(peer(1), Storage::Memory);
    config.snapshots = crate::journal::frequent_snapshots();
    let (raft, journal) = open(config).await;
    for number in 0..100 {
        raft.propose(command(format!("{number}"))).await.unwrap();
    }
    eventually("a snapshot", || raft.metrics().last_snapshot_index > 0).await;
    assert_eq!(journal.commands().len(), 100);
    raft.shutdown().await;
    assert_eq!(raft.propose(command("late")).await, Err(ProposeError::Shutdown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_keep_their_distance_until_the_policy_changes() {
    let mut config = Config::single(peer(1), Storage::Memory);
    let hour = std::time::Duration::from_secs(3600);
    config.snapshots = consul_raft::SnapshotPolicy { interval: hour, ..crate::journal::frequent_snapshots() };
    let (raft, _) = open(config).await;
    let propose = async |count: usize| {
        for number in 0..count {
            raft.propose(command(format!("{number}"))).await.unwrap();
        }
    };
    propose(30).await;
    eventually("the first snapshot", || raft.metrics().last_snapshot_index > 0).await;
    let first = raft.metrics().last_snapshot_index;
    propose(60).await;
    assert_eq!(raft.metrics().last_snapshot_index, first);
    raft.set_snapshot_policy(crate::journal::frequent_snapshots());
    propose(30).await;
    eventually("the next snapshot", || raft.metrics().last_snapshot_index > first).await;
    raft.shutdown().await;
}
