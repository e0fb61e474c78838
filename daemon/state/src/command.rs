//! What the log carries, and what applying it answers.

use consul_api::types::bytes::{Blob, Key};
use consul_api::types::coordinate::NodeCoordinate;
use consul_api::types::duration::Nanoseconds;
use consul_api::types::kv::KvVerb;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_api::types::session::Session;
use consul_api::types::txn::TxnResponse;
use serde::{Deserialize, Serialize};

use crate::acl::AclCommand;
use crate::autopilot::AutopilotCommand;
use crate::config_entry::ConfigEntryCommand;
use crate::error::ApplyError;
use crate::intention::IntentionCommand;
use crate::query::QueryCommand;
use crate::txn::TxnCommand;

mod codec;

pub use codec::DecodeError;

/// One change of the state. Everything that could differ between servers (ids, times, lock delays) is decided before
/// and is part of the command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Kv(KvCommand),
    /// A session with its id. The proposer has checked it with [`crate::session::validate`].
    SessionCreate(Session),
    SessionDestroy {
        id: String,
    },
    /// The proposer has checked it with [`crate::catalog::validate::registration`].
    Register(Box<RegisterRequest>),
    Deregister(DeregisterRequest),
    Txn(TxnCommand),
    PreparedQuery(QueryCommand),
    ConfigEntry(ConfigEntryCommand),
    Intention(IntentionCommand),
    Acl(AclCommand),
    Autopilot(AutopilotCommand),
    Coordinates(Vec<NodeCoordinate>),
    /// Forgets tombstones up to and including `index`.
    TombstoneReap {
        index: u64,
    },
}

/// A write to one key or prefix. A lock that falls into a lock delay is refused by the proposer and never sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvCommand {
    pub verb: KvVerb,
    pub key: Key,
    pub value: Blob,
    pub flags: u64,
    /// For `cas` and `delete-cas`: the modify index that the entry must have, 0 for none.
    pub index: u64,
    /// For `lock` and `unlock`.
    pub session: String,
}

impl KvCommand {
    /// A command with only verb and key set.
    pub fn new(verb: KvVerb, key: impl Into<Key>) -> Self {
        let (value, session) = (Blob::default(), String::new());
        Self { verb, key: key.into(), value, flags: 0, index: 0, session }
    }

    pub fn set(key: impl Into<Key>, value: impl Into<Blob>) -> Self {
        Self { value: value.into(), ..Self::new(KvVerb::Set, key) }
    }
}

/// What one command did.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The number that the command took.
    pub index: u64,
    pub reply: Result<Reply, ApplyError>,
    /// What the leader must do besides answering; `None` for most commands.
    pub effects: Option<Box<Effects>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Done,
    /// Whether a conditional write (compare-and-set, lock, unlock) happened. True for every other KV write.
    Applied(bool),
    Txn(TxnResponse),
    /// The id of what was created or updated.
    Id(String),
}

/// Consequences of a command that timers on the leader depend on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Keys that cannot be locked for a while, because the session that held them ended.
    pub lock_delays: Vec<LockDelay>,
    /// Sessions that ended, by whatever cause.
    pub ended_sessions: Vec<String>,
    /// A tombstone was left: it is due for reaping some time later.
    pub tombstone: bool,
}

impl Effects {
    pub(crate) fn is_empty(&self) -> bool {
        self.lock_delays.is_empty() && self.ended_sessions.is_empty() && !self.tombstone
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockDelay {
    pub key: Key,
    pub delay: Nanoseconds,
}
