//! An operator's restore while its pieces arrive through the log.
//!
//! The snapshot travels as log entries, so that every server replaces its state at the same place
//! in the same order of commands, and none can miss it. A restore belongs to the leader that began
//! it: the first entry of another leader ends it, on every server alike.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::machine::SnapshotSource;
use crate::payload::RestoreId;
use crate::snapshot::{SnapshotBody, Spool};
use crate::types::{LeaderId, SnapshotMeta};

pub(crate) struct Staging {
    pub id: RestoreId,
    pub leader: LeaderId,
    spool: Spool,
    length: u64,
    sum: Sha256,
    /// The state before the restore began. A Raft snapshot taken meanwhile must not reach further:
    /// a server that starts from it needs all the pieces, and has them in its log.
    pub before: (SnapshotMeta, Arc<dyn SnapshotSource>),
}

impl Staging {
    pub fn new(
        id: RestoreId,
        leader: LeaderId,
        spool: Spool,
        before: (SnapshotMeta, Arc<dyn SnapshotSource>),
    ) -> Self {
        Self { id, leader, spool, length: 0, sum: Sha256::new(), before }
    }

    pub fn push(&mut self, piece: &Bytes) -> io::Result<()> {
        self.length += piece.len() as u64;
        self.sum.update(piece);
        self.spool.write(piece)
    }

    /// The whole snapshot, if it is the one that was announced.
    pub fn finish(self, length: u64, sha256: &[u8; 32]) -> Option<SnapshotBody> {
        let complete = self.length == length && self.sum.finalize()[..] == sha256[..];
        complete.then(|| self.spool.finish())
    }
}
