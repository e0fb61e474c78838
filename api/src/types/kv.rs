//! Key/value entries.

use serde::{Deserialize, Serialize};

use super::bytes::{Blob, Key};

/// One entry of the key/value store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KvPair {
    /// How often a lock on this key was acquired by a new holder.
    pub lock_index: u64,
    pub key: Key,
    /// Opaque to us; clients mark semaphores and locks with it.
    pub flags: u64,
    pub value: Blob,
    /// Id of the session that holds the lock, empty if none does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
    pub create_index: u64,
    pub modify_index: u64,
}

/// What a write to the KV store does. The names travel on the wire and in transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KvVerb {
    Set,
    Cas,
    Lock,
    Unlock,
    Delete,
    DeleteCas,
    DeleteTree,
    Get,
    GetOrEmpty,
    GetTree,
    CheckIndex,
    CheckSession,
    CheckNotExists,
}

impl KvVerb {
    pub const ALL: [Self; 13] = [
        Self::Set,
        Self::Cas,
        Self::Lock,
        Self::Unlock,
        Self::Delete,
        Self::DeleteCas,
        Self::DeleteTree,
        Self::Get,
        Self::GetOrEmpty,
        Self::GetTree,
        Self::CheckIndex,
        Self::CheckSession,
        Self::CheckNotExists,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Cas => "cas",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Delete => "delete",
            Self::DeleteCas => "delete-cas",
            Self::DeleteTree => "delete-tree",
            Self::Get => "get",
            Self::GetOrEmpty => "get-or-empty",
            Self::GetTree => "get-tree",
            Self::CheckIndex => "check-index",
            Self::CheckSession => "check-session",
            Self::CheckNotExists => "check-not-exists",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == text)
    }

    pub fn is_write(self) -> bool {
        matches!(
            self,
            Self::Set
                | Self::Cas
                | Self::Lock
                | Self::Unlock
                | Self::Delete
                | Self::DeleteCas
                | Self::DeleteTree
        )
    }
}
