//! What goes wrong when a log is opened, used, or restored.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::types::Peer;

/// Why a server could not open its log.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("{0}")]
    Config(&'static str),
    #[error("could not use {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not open the raft log {path}")]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the raft log {path} is in use by another process; stop that agent or choose another data directory"
    )]
    InUse { path: PathBuf },
    #[error(
        "the raft log {path} has format {found}, this program reads format {expected}; start the release that \
         wrote it, save a snapshot with `consul snapshot save`, and restore that into an empty data directory"
    )]
    Format { path: PathBuf, found: i64, expected: i64 },
    #[error("{path} is not a raft log of this program; move it away or choose another data directory")]
    NotOurs { path: PathBuf },
    #[error(
        "{path} is the raft log of a HashiCorp Consul server; save a snapshot there with `consul snapshot save`, \
         start this server with an empty data directory, and restore the snapshot with `consul snapshot restore`"
    )]
    HashiCorp { path: PathBuf },
    #[error(
        "the raft log {path} belongs to server {found}, but this server is {expected}; use the node id it was \
         created with, or an empty data directory"
    )]
    OtherServer { path: PathBuf, found: String, expected: String },
    #[error(
        "the snapshot {path} cannot be used; restore this server from a backup, or start it with an empty data \
         directory and let it join the cluster again"
    )]
    Snapshot {
        path: PathBuf,
        #[source]
        source: SnapshotError,
    },
    #[error("the raft log is damaged: {0}")]
    Damaged(String),
    #[error("the servers could not be replaced by those of peers.json; correct or remove that file")]
    Recovery(#[from] Box<crate::offline::OfflineError>),
    #[error("raft did not start: {0}")]
    Start(String),
}

/// Why a snapshot was refused. State is untouched.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("could not read the snapshot")]
    Io(#[from] io::Error),
    /// Not an archive, or a damaged one.
    #[error(transparent)]
    Archive(#[from] consul_api::snapshot::archive::ReadError),
    /// An intact archive of something else.
    #[error(transparent)]
    Description(#[from] consul_api::snapshot::archive::RestoreError),
    #[error("the snapshot does not hold a valid state: {0}")]
    State(Box<dyn std::error::Error + Send + Sync>),
}

/// Why a command was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// Nothing happened; try again once there is a leader.
    #[error("No cluster leader")] // clients match this text
    NoLeader,
    /// Nothing happened; the leader takes the command.
    #[error("not the leader; {} is", .0.address)]
    ForwardTo(Peer),
    /// The command may or may not take effect later.
    #[error("leadership lost while committing log")] // clients match this text
    LeadershipLost,
    #[error("the command has {size} bytes, the limit is {limit}")]
    TooLarge { size: usize, limit: usize },
    /// The command may or may not have taken effect.
    #[error("raft is shutdown")] // clients match this text
    Shutdown,
}

/// What is known of a command that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is in no log and never will be: proposing it again, here or on another server, cannot do it twice.
    NotSent,
    /// It may have taken effect, or may do so later. Only who can tell whether it did may propose it again.
    OutcomeUnknown,
}

impl ProposeError {
    pub fn fate(&self) -> Fate {
        match self {
            Self::NoLeader | Self::ForwardTo(_) | Self::TooLarge { .. } => Fate::NotSent,
            Self::LeadershipLost | Self::Shutdown => Fate::OutcomeUnknown,
        }
    }
}

/// Why a read cannot be answered here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("No cluster leader")] // clients match this text
    NoLeader,
    #[error("not the leader; {} is", .0.address)]
    ForwardTo(Peer),
    #[error("raft is shutdown")] // clients match this text
    Shutdown,
}

/// Why the set of servers was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MembershipError {
    #[error("No cluster leader")] // clients match this text
    NoLeader,
    #[error("not the leader; {} is", .0.address)]
    ForwardTo(Peer),
    #[error("server {0} is not in the raft configuration")]
    Unknown(crate::ServerId),
    #[error("server {0} did not catch up with the log in time")]
    Lagging(crate::ServerId),
    #[error("{0}")]
    Refused(String),
    #[error("raft is shutdown")] // clients match this text
    Shutdown,
}

/// Why a snapshot given by an operator was not restored.
#[derive(Debug, Error)]
pub enum RestoreError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("another restore took its place")]
    Superseded,
}
