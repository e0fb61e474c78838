//! An operator's restore, from the leader's side: check the snapshot, then send it through the log.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::error::{ProposeError, RestoreError, SnapshotError};
use crate::handle::RaftHandle;
use crate::machine::StateMachine;
use crate::payload::{RestoreId, RestoreStep};
use crate::snapshot::{SnapshotBody, blocking};

/// One log entry carries this much of the snapshot. Other commands pass between the pieces.
const PIECE: usize = 128 << 10;

impl<S: StateMachine> RaftHandle<S> {
    /// Replaces the state of all servers by that of a snapshot archive, from here or from another
    /// cluster. The servers and their log stay as they are.
    ///
    /// The snapshot is parsed whole before anything happens. Commands go on meanwhile; those applied
    /// before the restore are undone by it. Once begun, the restore runs to its end even if the
    /// future is dropped.
    pub async fn restore(&self, snapshot: File) -> Result<(), RestoreError> {
        let handle = self.clone();
        let body = SnapshotBody::File(Arc::new(snapshot));
        let task = tokio::spawn(async move { handle.restore_body(body).await });
        task.await.unwrap_or(Err(RestoreError::Propose(ProposeError::Shutdown)))
    }

    /// Writes an archive of the present state. Blocks; run it where that is allowed.
    pub fn save(&self, out: &mut dyn Write) -> io::Result<()> {
        let (last, membership) = {
            let metrics = self.inner.raft.metrics();
            let metrics = metrics.borrow();
            (metrics.last_applied, metrics.membership_config.clone())
        };
        self.inner.snapshots.container().write(out, last, &membership, &*self.inner.machine.snapshot())
    }

    async fn restore_body(&self, body: SnapshotBody) -> Result<(), RestoreError> {
        let _one_at_a_time = self.inner.restoring.lock().await;
        if !self.inner.lease.may_propose() {
            return Err(self.not_leader().into());
        }
        let machine = self.inner.machine.clone();
        self.inner.snapshots.parse(body.clone(), move |input| machine.parse(input).map(drop)).await?;
        let id = RestoreId(rand::random());
        let result = self.send_pieces(id, body).await;
        if result.is_err() {
            // Best effort: the next leader ends it as well, and so does the next restore.
            let _ = self.inner.proposer.restore_step(id, &RestoreStep::Abort).await;
        }
        result
    }

    async fn send_pieces(&self, id: RestoreId, body: SnapshotBody) -> Result<(), RestoreError> {
        self.step(id, RestoreStep::Begin).await?;
        let mut sum = Sha256::new();
        let mut length = 0;
        loop {
            let from = body.clone();
            let piece = blocking(move || from.read_at(length, PIECE)).await.map_err(SnapshotError::from)?;
            if piece.is_empty() {
                break;
            }
            sum.update(&piece);
            length += piece.len() as u64;
            self.step(id, RestoreStep::Chunk(piece)).await?;
        }
        self.step(id, RestoreStep::Commit { length, sha256: sum.finalize().into() }).await
    }

    async fn step(&self, id: RestoreId, step: RestoreStep) -> Result<(), RestoreError> {
        match self.inner.proposer.restore_step(id, &step).await? {
            true => Ok(()),
            false => Err(RestoreError::Superseded),
        }
    }
}
