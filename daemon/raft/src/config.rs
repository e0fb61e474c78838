//! How one server takes part in consensus. Defaults live here and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::OpenError;
use crate::types::Peer;

/// Everything a server decides before it opens its log.
#[derive(Clone, Debug)]
pub struct Config {
    /// This server. Its id must stay the same for as long as its data lives.
    pub me: Peer,
    pub storage: Storage,
    pub bootstrap: Bootstrap,
    pub timing: Timing,
    pub limits: Limits,
    pub snapshots: SnapshotPolicy,
}

impl Config {
    /// A server of its own cluster, which keeps everything in `directory`.
    pub fn single(me: Peer, storage: Storage) -> Self {
        Self {
            bootstrap: Bootstrap::Servers(vec![me.clone()]),
            me,
            storage,
            timing: Timing::default(),
            limits: Limits::default(),
            snapshots: SnapshotPolicy::default(),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), OpenError> {
        let Timing { heartbeat, election_min, election_max } = self.timing;
        if heartbeat.is_zero() || heartbeat >= election_min || election_min >= election_max {
            return Err(OpenError::Config(
                "raft timing must satisfy 0 < heartbeat < election_min < election_max",
            ));
        }
        if self.limits.entry_bytes == 0 || self.limits.command_bytes == 0 || self.limits.queue_bytes == 0 {
            return Err(OpenError::Config("raft limits must not be zero"));
        }
        if self.limits.queue_bytes > tokio::sync::Semaphore::MAX_PERMITS.min(u32::MAX as usize) {
            return Err(OpenError::Config("raft queue limit is too large"));
        }
        if let Bootstrap::Servers(servers) = &self.bootstrap
            && !servers.iter().any(|server| server.id == self.me.id)
        {
            return Err(OpenError::Config("a server that bootstraps a cluster must be one of its servers"));
        }
        Ok(())
    }
}

/// Where log, vote and snapshots are kept.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In this directory, created if missing. Acknowledged writes survive a power loss.
    Disk(PathBuf),
    /// In memory, for development and tests: nothing survives the process.
    Memory,
    #[cfg(test)]
    Simulated(crate::sim::disk::SimDisk),
}

/// What a server without any data does.
#[derive(Clone, Debug)]
pub enum Bootstrap {
    /// Starts a cluster of exactly these servers. All of them must name the same list.
    Servers(Vec<Peer>),
    /// Waits until the leader of an existing cluster adds it.
    Join,
}

/// The clock of consensus.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Pause between a leader's heartbeats, and the time a follower has to answer one request.
    /// Low: processor time and packets. High: elections start late.
    pub heartbeat: Duration,
    /// The random time that keeps servers from standing for election together, and how long a candidate waits for
    /// votes. Low: split votes. High: slow fail-over.
    pub election_min: Duration,
    /// How long a follower elects nobody after it heard from its leader, and with it how long a leader may answer
    /// reads after its last confirmed heartbeat. Low: needless elections under load. High: slow fail-over.
    pub election_max: Duration,
}

impl Timing {
    /// The pace for `raft_multiplier` (1 to 10): 1 for machines that are never busy, 5 for most, 10 for slow ones.
    ///
    /// A leader that vanishes is replaced after `election_max`, a random part of `election_min` and two rounds of
    /// requests: about 0.5 s at 1, 1.4 s at 5 and 2.6 s at 10. Five heartbeats must be lost before that, and a
    /// server that missed its leader alone disturbs nobody (it canvasses first), so this can be quick.
    pub fn for_multiplier(multiplier: u32) -> Self {
        let election_max = Duration::from_millis(200) + Duration::from_millis(200) * multiplier.clamp(1, 10);
        Self { heartbeat: election_max / 6, election_min: election_max / 3, election_max }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(800),
        }
    }
}

/// Bounds on what waits and on what one entry holds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands join one log entry until they reach this size. A single larger command travels alone.
    pub entry_bytes: usize,
    /// Commands that may share an entry.
    pub entry_commands: usize,
    /// A larger command is refused.
    pub command_bytes: usize,
    /// Commands that wait or are in flight. Once reached, `propose` waits.
    pub queue_bytes: usize,
    /// A snapshot whose state is larger is refused.
    pub state_bytes: u64,
    /// Recent entries kept in memory, for followers and for the state machine.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entry_bytes: 512 << 10,
            entry_commands: 2048,
            command_bytes: 16 << 20,
            queue_bytes: 64 << 20,
            state_bytes: 16 << 30,
            cache_bytes: 2 << 20,
        }
    }
}

/// When the log is compacted into a snapshot, and how much of it stays for followers that lag.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPolicy {
    /// Entries applied since the last snapshot.
    pub entries: u64,
    /// Bytes applied since the last snapshot.
    pub bytes: u64,
    /// Entries that stay in the log behind a snapshot.
    pub trailing_entries: u64,
    /// Bytes that stay in the log behind a snapshot.
    pub trailing_bytes: u64,
    /// Least time between two snapshots that this policy starts. Low: the disk is busy with snapshots under load.
    /// High: the log, and with it a start, becomes long.
    pub interval: Duration,
}

impl Default for SnapshotPolicy {
    fn default() -> Self {
        Self {
            entries: 16_384,
            bytes: 128 << 20,
            trailing_entries: 10_240,
            trailing_bytes: 32 << 20,
            interval: Duration::ZERO,
        }
    }
}
