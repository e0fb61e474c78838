//! What servers need of the gossip pools.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use consul_rpc::messages::internal::KeyringResponse;

use crate::agent::Agent;

/// A gossip pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// All agents of this datacenter.
    Lan,
    /// The servers of all datacenters.
    Wan,
}

/// What is to be done with the keys of a pool. Keys are base64, as operators write them.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyringChange {
    List,
    Install(String),
    Use(String),
    Remove(String),
}

impl KeyringChange {
    /// `None` for a verb that does not exist.
    pub fn parse(verb: &str, key: String) -> Option<Self> {
        match verb {
            "list" => Some(Self::List),
            "install" => Some(Self::Install(key)),
            "use" => Some(Self::Use(key)),
            "remove" => Some(Self::Remove(key)),
            _ => None,
        }
    }

    pub fn verb(&self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Install(_) => "install",
            Self::Use(_) => "use",
            Self::Remove(_) => "remove",
        }
    }

    /// Empty for a list.
    pub fn key(&self) -> &str {
        match self {
            Self::List => "",
            Self::Install(key) | Self::Use(key) | Self::Remove(key) => key,
        }
    }
}

impl fmt::Debug for KeyringChange {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}

/// The pools that this agent is in.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Tells every agent of this datacenter. `name` is the event's as users know it, `payload` as
    /// [`super::event`] encodes it. An error is a text for the caller.
    async fn fire_event(&self, agent: &Arc<Agent>, name: &str, payload: &[u8]) -> Result<(), String>;

    /// Asks every member of a pool to list or change its keys, and sums up what they say.
    async fn keyring(
        &self,
        agent: &Arc<Agent>,
        pool: Pool,
        change: &KeyringChange,
        relay_factor: u8,
    ) -> KeyringResponse;
}
