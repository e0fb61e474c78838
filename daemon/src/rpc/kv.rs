//! Key/value requests.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::bytes::Key;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_state::command::KvCommand;
use consul_state::{Command, Outcome, Reply, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// One entry.
pub struct KvGet {
    pub key: Box<[u8]>,
}

impl Read for KvGet {
    type Reply = Option<Arc<KvPair>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entry) = version.kv_get(&self.key, seen);
        Ok((index, entry.cloned()))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Self::Reply) -> Result<bool, RpcError> {
        if authorizer.allows(Resource::Key(&self.key), Access::Read) {
            Ok(false)
        } else {
            Err(RpcError::PermissionDenied)
        }
    }
}

pub struct KvList {
    pub prefix: Box<[u8]>,
}

impl Read for KvList {
    type Reply = Vec<Arc<KvPair>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entries) = version.kv_list(&self.prefix, seen);
        Ok((index, entries.into_iter().cloned().collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|entry| authorizer.allows(Resource::Key(entry.key.as_slice()), Access::Read));
        Ok(reply.len() < before)
    }
}

pub struct KvKeys {
    pub prefix: Box<[u8]>,
    pub separator: Box<[u8]>,
}

impl Read for KvKeys {
    /// `None`: nothing there, which only the empty prefix reports as an empty list.
    type Reply = Option<Vec<Key>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, keys) = version.kv_keys(&self.prefix, &self.separator, seen);
        let nothing = keys.is_empty() && !self.prefix.is_empty();
        Ok((index, (!nothing).then(|| keys.into_iter().map(Key::from).collect())))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let Some(keys) = reply else { return Ok(false) };
        let before = keys.len();
        keys.retain(|key| authorizer.allows(Resource::Key(key.as_slice()), Access::Read));
        Ok(keys.len() < before)
    }
}

/// One write to the KV store. The answer tells whether a conditional write happened.
#[derive(Clone)]
pub struct KvWrite {
    pub verb: KvVerb,
    /// Key, value, flags and session; the modify index is the one that a conditional write expects.
    pub entry: KvPair,
}

impl Write for KvWrite {
    type Reply = bool;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let key = self.entry.key.as_slice();
        let resource =
            if self.verb == KvVerb::DeleteTree { Resource::KeyPrefix(key) } else { Resource::Key(key) };
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
