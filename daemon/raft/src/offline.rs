//! A server's data while no agent uses it: looking at it, and making a new cluster of it after the quorum is lost.
//!
//! Recovery changes who the servers are and nothing else. It writes the new servers into every membership that is
//! stored, in place: the ids of log entries stay as they are, so among servers that were recovered with the same list
//! the one whose log is most complete still wins the election, and none takes an entry for one that it is not.
//! Entries that were not known to be committed stay, too: without the lost servers nobody can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use openraft::{BasicNode, EntryPayload};
use serde::Deserialize;
use thiserror::Error;

use crate::error::OpenError;
use crate::log::database::{Database, Value};
use crate::snapshot::Record;
use crate::types::{LogId, Membership, Peer, ServerId, StoredMembership, Vote};

/// Where an operator puts the servers of the new cluster; beside the log.
pub const PEERS_FILE: &str = "peers.json";

/// A list of servers is short.
const PEERS_FILE_BYTES: u64 = 1 << 20;
const PEERS: usize = 1000;

/// A server of a stored or a new configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPeer {
    pub peer: Peer,
    pub voter: bool,
}

/// The place of an entry in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub term: u64,
    pub index: u64,
}

/// The snapshot that a start would load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    pub path: PathBuf,
    /// `None` if the file is missing.
    pub bytes: Option<u64>,
    pub last: Option<Position>,
}

/// What is stored in a raft directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub format: i64,
    pub server: Option<ServerId>,
    pub term: u64,
    /// For whom the server voted in that term, and whether that server was elected.
    pub voted_for: Option<ServerId>,
    pub elected: bool,
    pub first: Option<Position>,
    pub last: Option<Position>,
    /// The newest entry known to be committed when the last one was written.
    pub committed_index: Option<u64>,
    /// Entries up to here are in the snapshot only.
    pub purged: Option<Position>,
    pub snapshot: Option<StoredSnapshot>,
    /// The entry that made `servers` the configuration.
    pub configuration_index: Option<u64>,
    pub servers: Vec<StoredPeer>,
}

/// What a recovery did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The data as it was before.
    pub backup: PathBuf,
    pub before: Vec<StoredPeer>,
    pub after: Vec<StoredPeer>,
}

/// Why data cannot be looked at or recovered. It is as it was.
#[derive(Debug, Error)]
pub enum OfflineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{path} holds no raft log")]
    Nothing { path: PathBuf },
    #[error("{path} belongs to no cluster yet; start the agent and bootstrap it or let it join")]
    NoCluster { path: PathBuf },
    #[error("could not read or change the raft log {path}")]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("could not use {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} is neither a list of addresses nor a list of servers with id, address and non_voter: {reason}"
    )]
    PeersFile { path: PathBuf, reason: String },
    #[error("the list of servers is not usable: {0}")]
    Peers(String),
}

/// Tells what is stored in a raft directory. Refused while an agent uses it.
pub async fn inspect(directory: &Path) -> Result<Inspection, OfflineError> {
    let mut database = open(directory).await?;
    let found = read(directory, &mut database).await;
    let _ = database.close().await;
    found.map_err(|source| OfflineError::Database { path: directory.to_owned(), source })
}

/// Makes the data in a raft directory that of a cluster of exactly these servers, after copying it. All servers that
/// are to take part must be recovered with the same list, or start with empty directories. Refused while an agent
/// uses the directory.
pub async fn recover(directory: &Path, peers: &[StoredPeer]) -> Result<Recovered, OfflineError> {
    let mut database = open(directory).await?;
    let result = recover_open(directory, &mut database, peers).await;
    let _ = database.close().await;
    result
}

/// Reads a file of servers in one of its two forms. Addresses without ids are those of servers in `known`.
pub fn read_peers(path: &Path, known: &[StoredPeer]) -> Result<Vec<StoredPeer>, OfflineError> {
    let failed = |source| OfflineError::Io { path: path.to_owned(), source };
    let malformed = |reason: String| OfflineError::PeersFile { path: path.to_owned(), reason };
    if fs::metadata(path).map_err(failed)?.len() > PEERS_FILE_BYTES {
        return Err(malformed("the file is too large".to_owned()));
    }
    let text = fs::read(path).map_err(failed)?;
    let listed: Vec<Listed> = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    let id_of = |address: &str| {
        let peer = known.iter().map(|known| &known.peer).find(|peer| peer.address == address);
        peer.map(|peer| peer.id).ok_or_else(|| {
            malformed(format!("no server with the address {address} is known; write its id, too"))
        })
    };
    let stored = |listed: Listed| match listed {
        Listed::Address(address) => {
            Ok(StoredPeer { peer: Peer { id: id_of(&address)?, address }, voter: true })
        }
        Listed::Server { id, address, non_voter } => {
            Ok(StoredPeer { peer: Peer { id, address }, voter: !non_voter })
        }
    };
    listed.into_iter().map(stored).collect()
}

/// Applies a file of servers that an operator left in the directory, before the log is opened. The file ends up in
/// the backup.
pub(crate) async fn apply_peers_file(directory: &Path) -> Result<Option<Recovered>, OfflineError> {
    let path = directory.join(PEERS_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let known = inspect(directory).await?.servers;
    let recovered = recover(directory, &read_peers(&path, &known)?).await?;
    let kept = recovered.backup.join(PEERS_FILE);
    fs::rename(&path, kept).map_err(|source| OfflineError::Io { path, source })?;
    Ok(Some(recovered))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Address(String),
    Server {
        id: ServerId,
        address: String,
        #[serde(default)]
        non_voter: bool,
    },
}

async fn open(directory: &Path) -> Result<Database, OfflineError> {
    Database::open_existing(directory)
        .await?
        .ok_or_else(|| OfflineError::Nothing { path: directory.to_owned() })
}

async fn read(directory: &Path, database: &mut Database) -> Result<Inspection, sqlx::Error> {
    let vote: Option<Vote> = database.load(Value::Vote).await?;
    let purged: Option<LogId> = database.load(Value::Purged).await?;
    let last = database.last().await?;
    let first = database.read(0..u64::MAX, 1).await?.first().map(|entry| entry.log_id);
    let record: Option<Record> = database.load(Value::Snapshot).await?;
    let membership = membership(database, record.as_ref()).await?;
    let snapshot = record.map(|record| {
        let path = directory.join("snapshots").join(record.file);
        let bytes = fs::metadata(&path).ok().map(|metadata| metadata.len());
        StoredSnapshot { path, bytes, last: record.meta.last_log_id.map(position) }
    });
    Ok(Inspection {
        format: database.format().await?,
        server: database.load(Value::Server).await?,
        term: vote.map_or(0, |vote| vote.leader_id.term),
        voted_for: vote.map(|vote| vote.leader_id.node_id),
        elected: vote.is_some_and(|vote| vote.committed),
        first: first.map(position),
        last: last.map(|(last, _)| position(last)).or(purged.map(position)),
        committed_index: last.and_then(|(_, committed)| committed.checked_sub(1)),
        purged: purged.map(position),
        snapshot,
        configuration_index: membership.log_id().map(|log_id| log_id.index),
        servers: servers(membership.membership()),
    })
}

/// The newest membership in the log, or else that of the snapshot.
async fn membership(
    database: &mut Database,
    record: Option<&Record>,
) -> Result<StoredMembership, sqlx::Error> {
    let in_snapshot = record.map(|record| record.meta.last_membership.clone()).unwrap_or_default();
    let Some(entry) = database.memberships(1).await?.pop() else { return Ok(in_snapshot) };
    match entry.payload {
        EntryPayload::Membership(membership) if Some(entry.log_id) >= *in_snapshot.log_id() => {
            Ok(StoredMembership::new(Some(entry.log_id), membership))
        }
        _ => Ok(in_snapshot),
    }
}

fn servers(membership: &Membership) -> Vec<StoredPeer> {
    let voters: BTreeSet<ServerId> = membership.voter_ids().collect();
    let stored = |(id, node): (&ServerId, &BasicNode)| StoredPeer {
        peer: Peer::new(*id, node),
        voter: voters.contains(id),
    };
    membership.nodes().map(stored).collect()
}

fn position(log_id: LogId) -> Position {
    Position { term: log_id.leader_id.term, index: log_id.index }
}

async fn recover_open(
    directory: &Path,
    database: &mut Database,
    peers: &[StoredPeer],
) -> Result<Recovered, OfflineError> {
    let failed = |source| OfflineError::Database { path: directory.to_owned(), source };
    let found = read(directory, database).await.map_err(failed)?;
    if found.servers.is_empty() {
        return Err(OfflineError::NoCluster { path: directory.to_owned() });
    }
    check(peers, found.server)?;
    let backup = back_up(directory, database).await?;
    let voters: BTreeSet<ServerId> =
        peers.iter().filter(|peer| peer.voter).map(|peer| peer.peer.id).collect();
    let nodes: BTreeMap<_, _> = peers.iter().map(|peer| (peer.peer.id, peer.peer.node())).collect();
    let membership = Membership::new(vec![voters], nodes);
    let mut record: Option<Record> = database.load(Value::Snapshot).await.map_err(failed)?;
    if let Some(record) = &mut record {
        let at = *record.meta.last_membership.log_id();
        record.meta.last_membership = StoredMembership::new(at, membership.clone());
    }
    database.replace_memberships(&membership, record.as_ref()).await.map_err(failed)?;
    Ok(Recovered { backup, before: found.servers, after: peers.to_vec() })
}

fn check(peers: &[StoredPeer], me: Option<ServerId>) -> Result<(), OfflineError> {
    let refused = |reason: &str| Err(OfflineError::Peers(reason.to_owned()));
    if peers.len() > PEERS {
        return refused("it has too many servers");
    }
    if !peers.iter().any(|peer| peer.voter) {
        return refused("it has no voter");
    }
    let ids: BTreeSet<_> = peers.iter().map(|peer| peer.peer.id).collect();
    let addresses: BTreeSet<_> = peers.iter().map(|peer| peer.peer.address.as_str()).collect();
    if ids.len() != peers.len() || addresses.len() != peers.len() {
        return refused("it has an id or an address twice");
    }
    let is_address = |address: &str| {
        let parts = address.rsplit_once(':');
        parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    if let Some(bad) = addresses.iter().find(|address| !is_address(address)) {
        return Err(OfflineError::Peers(format!("{bad:?} is not of the form host:port")));
    }
    if me.is_some_and(|me| !ids.contains(&me)) {
        return refused("this server is not in it");
    }
    Ok(())
}

/// Copies log and snapshots into a new directory below this one.
async fn back_up(directory: &Path, database: &mut Database) -> Result<PathBuf, OfflineError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let backup = directory.join(format!("before-recovery-{now}"));
    let io = |source| OfflineError::Io { path: backup.clone(), source };
    crate::handle::create_private(&backup).map_err(io)?;
    database
        .copy_into(&backup)
        .await
        .map_err(|source| OfflineError::Database { path: backup.clone(), source })?;
    let snapshots = directory.join("snapshots");
    if snapshots.is_dir() {
        let target = backup.join("snapshots");
        fs::create_dir(&target).map_err(io)?;
        for file in fs::read_dir(&snapshots).map_err(io)? {
            let file = file.map_err(io)?;
            fs::copy(file.path(), target.join(file.file_name())).map_err(io)?;
        }
    }
    Ok(backup)
}
