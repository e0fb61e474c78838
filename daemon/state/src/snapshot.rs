//! The whole state as a stream of records, and back.
//!
//! The format is the one that HashiCorp's servers write, so the same bytes serve the log's own snapshots, backups and
//! migration in both directions. Reading builds a complete state beside the present one and only then hands it over:
//! an input that is damaged anywhere changes nothing.

mod read;
mod record;
mod write;

use consul_api::snapshot::records::{RecordError, RecordType};
use thiserror::Error;

use crate::version::Version;

pub(crate) use read::read;
pub(crate) use write::write;

/// A record of a type that other releases know and this one only carries along.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OpaqueRecord {
    pub kind: RecordType,
    /// The encoded value, as it was read.
    pub value: Box<[u8]>,
}

/// A state read from a snapshot, complete but not yet in force.
pub struct Restored(pub(crate) Version);

impl Restored {
    /// Number of the last command in the snapshot.
    pub fn index(&self) -> u64 {
        self.0.index()
    }

    /// The state as it will be, to look at before it is put in force.
    pub fn version(&self) -> &Version {
        &self.0
    }
}

/// Why a snapshot cannot be restored. The present state is untouched.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("record of unknown type {kind} at offset {offset}")]
    UnknownType { kind: u8, offset: u64 },
    #[error("msg type <{kind}> is a Consul Enterprise log entry. Consul CE cannot restore it")]
    Enterprise { kind: u8 },
    #[error("record of type {kind} at offset {offset} is not valid: {reason}")]
    Invalid { kind: RecordType, offset: u64, reason: String },
}
