//! A server killed without warning, again and again: whatever it acknowledged must be there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::Rng;

use crate::journal::{command, open, single};

/// Tells the process that it is the one to be killed, and where its data is.
const DIRECTORY: &str = "KILL_TEST_DIRECTORY";
/// How many times to kill; hundreds for a thorough run.
const ROUNDS: &str = "KILL_ROUNDS";

const WRITERS: usize = 8;

/// The last number that each writer wrote; fails if one is missing, doubled or out of order.
fn last_numbers(commands: &[String]) -> BTreeMap<usize, u64> {
    let mut last = BTreeMap::new();
    for command in commands {
        let (writer, number) = command.split_once(' ').unwrap();
        let (writer, number): (usize, u64) = (writer.parse().unwrap(), number.parse().unwrap());
        let previous = last.insert(writer, number).unwrap_or(0);
        assert_eq!(number, previous + 1, "writer {writer} after {previous}");
    }
    last
}

/// Not a test of its own: what the killed process runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (raft, journal) = open(single(Path::new(&directory))).await;
    let last = last_numbers(&journal.commands());
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let raft = raft.clone();
        let mut number = last.get(&writer).copied().unwrap_or(0);
        writers.push(tokio::spawn(async move {
            loop {
                number += 1;
                raft.propose(command(format!("{writer} {number}"))).await.unwrap();
                let mut out = std::io::stdout().lock();
                // The parent may be gone; then so are we.
                writeln!(out, "ack {writer} {number}").unwrap();
                out.flush().unwrap();
            }
        }));
    }
    futures::future::join_all(writers).await;
}

/// Lets a child write, kills it at a random moment, and tells the last number acknowledged to each
/// writer.
fn write_and_kill(directory: &Path, random: &mut impl Rng) -> BTreeMap<usize, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::writes_until_killed", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let id = child.id();
    // One round in four dies while it starts, the others while they write.
    let starting = random.random_ratio(1, 4);
    let delay = Duration::from_micros(random.random_range(0..60_000));
    let mut killer = starting.then(|| kill_after(id, delay));
    let mut acked = BTreeMap::new();
    for line in out.lines() {
        let Ok(line) = line else { break };
        let mut words = line.split(' ');
        if words.next() != Some("ack") {
            continue;
        }
        killer.get_or_insert_with(|| kill_after(id, delay));
        // The last line may be cut off by the kill; then it was never read by anybody.
        if let (Some(Ok(writer)), Some(Ok(number))) =
            (words.next().map(str::parse), words.next().map(str::parse))
        {
            acked.insert(writer, number);
        }
    }
    // Before it is waited for: until then, its id cannot be another process's.
    killer.expect("the child wrote nothing and was not killed").join().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child ended by itself");
    acked
}

fn kill_after(id: u32, delay: Duration) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        // The pause is the experiment, not a wait for something.
        std::thread::sleep(delay);
        // SAFETY: `kill` touches no memory, and the child is not yet waited for, so its id is its own.
        assert_eq!(unsafe { libc::kill(id as libc::pid_t, libc::SIGKILL) }, 0);
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_at_random_moments() {
    if std::env::var_os(DIRECTORY).is_some() {
        return;
    }
    let rounds = std::env::var(ROUNDS).map_or(60, |rounds| rounds.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut random = rand::rng();
    let mut acked_ever: BTreeMap<usize, u64> = BTreeMap::new();
    for round in 1..=rounds {
        for (writer, number) in write_and_kill(directory.path(), &mut random) {
            acked_ever.insert(writer, number);
        }
        let (raft, journal) = open(single(directory.path())).await;
        let present = last_numbers(&journal.commands());
        for (writer, acked) in &acked_ever {
            let last = present.get(writer).copied().unwrap_or(0);
            assert!(last >= *acked, "round {round}: writer {writer} lost {acked}, has {last}");
        }
        raft.shutdown().await;
    }
    assert!(!acked_ever.is_empty(), "nothing was ever acknowledged");
}
