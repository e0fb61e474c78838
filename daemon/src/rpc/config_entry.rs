//! Centralised configuration entries.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::config_entry::ConfigEntry;
use consul_state::config_entry::ConfigEntryCommand;
use consul_state::{Command, Outcome, Reply, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};
use crate::config_entries::Kind;

/// Entries: those of a kind, or all.
pub struct ConfigEntryList {
    pub kind: Option<Kind>,
}

impl Read for ConfigEntryList {
    type Reply = Vec<Arc<ConfigEntry>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entries) = version.config_entries(self.kind.map(Kind::as_str), seen);
        Ok((index, entries.cloned().collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|entry| may(authorizer, &entry.kind, &entry.name, Access::Read));
        Ok(reply.len() < before)
    }
}

/// One entry.
pub struct ConfigEntryGet {
    pub kind: Kind,
    pub name: String,
}

impl Read for ConfigEntryGet {
    type Reply = Option<Arc<ConfigEntry>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entry) = version.config_entry(self.kind.as_str(), &self.name, seen);
        Ok((index, entry.cloned()))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Self::Reply) -> Result<bool, RpcError> {
        require(may(authorizer, self.kind.as_str(), &self.name, Access::Read))?;
        Ok(false)
    }
}

/// Entries of a service are the service's; the others are the operator's. Everybody may read the common defaults.
fn may(authorizer: &Authorizer, kind: &str, name: &str, access: Access) -> bool {
    match Kind::parse(kind) {
        Some(kind) if kind.is_of_service(access == Access::Read) => {
            authorizer.allows(Resource::Service(name), access)
        }
        Some(Kind::ProxyDefaults) if access == Access::Read => true,
        _ => authorizer.allows(Resource::Operator, access),
    }
}

/// A write of one entry; the answer tells whether it happened.
#[derive(Clone)]
pub struct ConfigEntryWrite(pub ConfigEntryCommand);

impl Write for ConfigEntryWrite {
    type Reply = bool;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let (kind, name) = match &self.0 {
            ConfigEntryCommand::Set { entry, .. } => (&entry.kind, &entry.name),
            ConfigEntryCommand::Delete { kind, name, .. } => (kind, name),
        };
        require(may(authorizer, kind, name, Access::Write))
    }

    fn prepare(self, _: &LeaderView<'_>) -> Result<Step<bool>, RpcError> {
        Ok(Step::Propose(Command::ConfigEntry(self.0)))
    }

    fn conclude(outcome: Outcome) -> Result<bool, RpcError> {
        match outcome.reply? {
            Reply::Applied(happened) => Ok(happened),
            _ => Ok(true),
        }
    }
}
