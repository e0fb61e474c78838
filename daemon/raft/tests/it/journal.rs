//! A state machine that remembers every command, and helpers to run servers of it.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use consul_raft::{
    Config, NoPeers, Peer, RaftHandle, RestoreMode, ServerId, SnapshotError, SnapshotPolicy, SnapshotSource,
    StateMachine, Storage, Timing,
};
use parking_lot::RwLock;

/// Nothing here takes longer, even on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Answers a command with its position. A restore by an operator leaves a mark.
#[derive(Default)]
pub struct Journal {
    commands: RwLock<Vec<String>>,
}

pub const RESTORED: &str = "(restored)";

struct Version(Vec<String>);

impl SnapshotSource for Version {
    fn index(&self) -> u64 {
        self.0.len() as u64
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.0.iter().try_for_each(|command| writeln!(out, "{command}"))?;
        writeln!(out, ".")
    }
}

impl StateMachine for Journal {
    type Outcome = usize;
    type Restored = Vec<String>;

    fn apply(&self, commands: &[Bytes]) -> Vec<usize> {
        let mut journal = self.commands.write();
        let add = |command: &Bytes| {
            journal.push(String::from_utf8_lossy(command).into_owned());
            journal.len()
        };
        commands.iter().map(add).collect()
    }

    fn snapshot(&self) -> Arc<dyn SnapshotSource> {
        Arc::new(Version(self.commands()))
    }

    fn parse(&self, input: &mut dyn Read) -> Result<Vec<String>, SnapshotError> {
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        let mut commands: Vec<String> = text.lines().map(str::to_owned).collect();
        match commands.pop().as_deref() {
            Some(".") => Ok(commands),
            _ => Err(SnapshotError::State("the end is missing".into())),
        }
    }

    fn install(&self, mut restored: Vec<String>, mode: RestoreMode) {
        if mode == RestoreMode::Supersede {
            restored.push(RESTORED.to_owned());
        }
        *self.commands.write() = restored;
    }
}

impl Journal {
    pub fn commands(&self) -> Vec<String> {
        self.commands.read().clone()
    }
}

pub type Handle = RaftHandle<Journal>;

pub fn peer(number: u128) -> Peer {
    Peer { id: ServerId::from_u128(number), address: format!("server-{number}") }
}

pub fn command(text: impl Into<String>) -> Bytes {
    text.into().into()
}

/// Compacts often, so that tests meet snapshots and purges.
pub fn frequent_snapshots() -> SnapshotPolicy {
    SnapshotPolicy { entries: 20, trailing_entries: 5, ..SnapshotPolicy::default() }
}

/// Fast enough for tests, slow enough for a busy machine.
pub fn test_timing() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(100),
        election_min: Duration::from_millis(500),
        election_max: Duration::from_millis(1000),
    }
}

pub fn single(directory: &Path) -> Config {
    let mut config = Config::single(peer(1), Storage::Disk(directory.to_owned()));
    config.snapshots = frequent_snapshots();
    config
}

pub async fn open(config: Config) -> (Handle, Arc<Journal>) {
    let journal = Arc::new(Journal::default());
    let handle = RaftHandle::open(config, journal.clone(), Arc::new(NoPeers)).await.unwrap();
    (handle, journal)
}

/// Waits for a condition, not for a time.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LIMIT, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
