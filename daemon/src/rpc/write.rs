//! The path of a write.

use std::time::Instant;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::kv::{KvPair, KvVerb};
use consul_state::{Command, KvCommand, Outcome, Reply, Version};

use super::RpcError;
use crate::leader::lock_delay::LockDelays;

/// A change that the leader turns into a command of the log.
pub trait Write: Send {
    type Reply: Send;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError>;

    /// Decides everything that may differ between servers (ids, times, delays), and refuses what cannot work.
    fn prepare(self, leader: &LeaderView<'_>) -> Result<Step<Self::Reply>, RpcError>;

    /// The answer, from what applying the command did.
    fn conclude(outcome: Outcome) -> Result<Self::Reply, RpcError>;
}

/// What the leader knows when it prepares a command.
pub struct LeaderView<'a> {
    pub version: &'a Version,
    pub lock_delays: &'a LockDelays,
    pub now: Instant,
    pub datacenter: &'a str,
    pub session_ttl_min: std::time::Duration,
}

pub enum Step<T> {
    /// Answered without a command.
    Done(T),
    Propose(Command),
}

/// `Ok` if `allowed`, else the refusal that clients know.
pub fn require(allowed: bool) -> Result<(), RpcError> {
    if allowed { Ok(()) } else { Err(RpcError::PermissionDenied) }
}

/// One write to the KV store. The answer tells whether a conditional write happened.
pub struct KvWrite {
    pub verb: KvVerb,
    /// Key, value, flags and session; the modify index is the one that a conditional write expects.
    pub entry: KvPair,
}

impl Write for KvWrite {
    type Reply = bool;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let key = self.entry.key.as_slice();
        let resource = if self.verb == KvVerb::DeleteTree { Resource::KeyPrefix(key) } else { Resource::Key(key) };
        require(authorizer.allows(resource, Access::Write))
    }

    fn prepare(self, leader: &LeaderView<'_>) -> Result<Step<bool>, RpcError> {
        let Self { verb, entry } = self;
        if verb == KvVerb::Lock && leader.lock_delays.is_delayed(&entry.key, leader.now) {
            return Ok(Step::Done(false));
        }
        let command = KvCommand {
            verb,
            key: entry.key,
            value: entry.value,
            flags: entry.flags,
            index: entry.modify_index,
            session: entry.session,
        };
        Ok(Step::Propose(Command::Kv(command)))
    }

    fn conclude(outcome: Outcome) -> Result<bool, RpcError> {
        match outcome.reply? {
            Reply::Applied(happened) => Ok(happened),
            _ => Ok(true),
        }
    }
}
