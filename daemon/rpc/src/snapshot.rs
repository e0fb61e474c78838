//! How a snapshot is asked for, and answered, on a connection of its own.

use consul_api::msgpack::{self, DecodeError, EncodeError};
use serde::{Deserialize, Serialize};

/// Bytes that a request, or a response without the archive, may have.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOp {
    /// The archive comes with the response.
    Save,
    /// The archive comes with the request.
    Restore,
}

impl SnapshotOp {
    /// Its number in a request.
    pub fn number(self) -> i64 {
        match self {
            Self::Save => 0,
            Self::Restore => 1,
        }
    }

    /// The operation of this number, if there is one.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Save),
            1 => Some(Self::Restore),
            _ => None,
        }
    }
}

/// The request, without the archive.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SnapshotRequest {
    /// Whose state. Not defaulted by servers.
    pub datacenter: String,
    /// The caller's secret.
    pub token: String,
    /// Whether a server that is not the leader may answer.
    pub allow_stale: bool,
    /// See [`SnapshotOp::number`]. Others are refused by name, so they are kept.
    pub op: i64,
}

impl std::fmt::Debug for SnapshotRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { datacenter, token: _, allow_stale, op } = self;
        let mut out = f.debug_struct("SnapshotRequest");
        out.field("datacenter", datacenter).field("allow_stale", allow_stale).field("op", op);
        out.finish_non_exhaustive()
    }
}

/// The response, without the archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SnapshotResponse {
    /// Empty if it worked. With an error, no archive follows.
    pub error: String,
    /// Index that the snapshot holds.
    pub index: u64,
    /// Nanoseconds since the answering server heard from the leader.
    pub last_contact: i64,
    /// Whether there was a leader.
    pub known_leader: bool,
    /// Always empty; belongs to the query metadata that all replies share.
    pub consistency_level: String,
}

impl SnapshotRequest {
    /// As bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        msgpack::to_vec(self)
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        msgpack::from_slice(bytes)
    }
}

impl SnapshotResponse {
    /// One that says what went wrong.
    pub fn failed(error: impl Into<String>) -> Self {
        Self { error: error.into(), ..Self::default() }
    }

    /// As bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        msgpack::to_vec(self)
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        msgpack::from_slice(bytes)
    }
}
