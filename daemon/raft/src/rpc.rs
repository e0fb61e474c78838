//! Requests of other servers, answered.

use std::sync::Arc;

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use thiserror::Error;
use tracing::warn;

use crate::contact::Contact;
use crate::elector::{Answer, Canvass, would_elect};
use crate::lease::Lease;
use crate::log::Log;
use crate::snapshot::{SnapshotStore, Spool};
use crate::transport::Method;
use crate::types::{OpenRaft, Snapshot, TypeConfig};
use crate::wire::{self, SnapshotAnswer, SnapshotPiece, WireError};

/// Why a request of another server was not answered.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("{0}")]
    Message(String),
    #[error("could not take a piece of a snapshot")]
    Spool(#[from] std::io::Error),
    #[error("the received snapshot was refused")]
    Snapshot(#[from] crate::SnapshotError),
    #[error("raft is shutdown")]
    Shutdown,
}

impl From<WireError> for ServeError {
    fn from(error: WireError) -> Self {
        Self::Message(error.to_string())
    }
}

pub(crate) struct Server {
    raft: OpenRaft,
    snapshots: Arc<SnapshotStore>,
    log: Log,
    lease: Arc<Lease>,
    contact: Arc<Contact>,
    /// The one transfer in progress: openraft's leader sends one at a time.
    receiving: tokio::sync::Mutex<Option<Receiving>>,
}

struct Receiving {
    transfer: u64,
    offset: u64,
    spool: Spool,
}

impl Server {
    pub fn new(
        raft: OpenRaft,
        snapshots: Arc<SnapshotStore>,
        log: Log,
        lease: Arc<Lease>,
        contact: Arc<Contact>,
    ) -> Self {
        Self { raft, snapshots, log, lease, contact, receiving: tokio::sync::Mutex::default() }
    }

    pub async fn serve(&self, method: Method, body: &[u8]) -> Result<Bytes, ServeError> {
        match method {
            Method::Append => self.append(body).await,
            Method::Canvass => self.canvass(body),
            Method::Vote => self.vote(body).await,
            Method::Snapshot => self.snapshot(body).await,
            Method::TakeLead => self.take_lead(body).await,
        }
    }

    async fn append(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let request: AppendEntriesRequest<TypeConfig> = wire::decode(body)?;
        let committed = request.leader_commit.map(|committed| committed.index);
        let working = self.contact.begin();
        let answer = self.raft.append_entries(request).await.map_err(stopped)?;
        match answer {
            AppendEntriesResponse::HigherVote(_) => {}
            AppendEntriesResponse::Success | AppendEntriesResponse::PartialSuccess(_) => {
                self.contact.on_accepted(committed);
            }
            AppendEntriesResponse::Conflict => self.contact.on_accepted(None),
        }
        drop(working);
        Ok(wire::encode(&answer)?)
    }

    fn canvass(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let Canvass { last_log_id } = wire::decode(body)?;
        let yes = would_elect(&self.contact, &self.lease, &self.log, last_log_id);
        Ok(wire::encode(&Answer { yes })?)
    }

    async fn vote(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let request: VoteRequest<crate::ServerId> = wire::decode(body)?;
        let answer = match self.contact.is_bound() {
            true => self.refuse_vote().await?,
            false => self.raft.vote(request).await.map_err(stopped)?,
        };
        Ok(wire::encode(&answer)?)
    }

    async fn refuse_vote(&self) -> Result<VoteResponse<crate::ServerId>, ServeError> {
        let vote = self.raft.with_raft_state(|state| *state.vote_ref()).await.map_err(stopped)?;
        Ok(VoteResponse { vote, vote_granted: false, last_log_id: self.log.last() })
    }

    /// The leader has fallen silent and asks again until somebody leads, so a promise may run out first.
    async fn take_lead(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        wire::decode::<()>(body)?;
        if !self.contact.is_bound() {
            self.raft.trigger().elect().await.map_err(stopped)?;
        }
        Ok(wire::encode(&())?)
    }

    async fn snapshot(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let piece: SnapshotPiece = wire::decode(body)?;
        let vote = self.raft.with_raft_state(|state| *state.vote_ref()).await.map_err(stopped)?;
        if piece.vote < vote {
            return Ok(wire::encode(&SnapshotAnswer::Taken(vote))?);
        }
        let _working = self.contact.begin();
        self.contact.on_accepted(None);
        let SnapshotPiece { vote, meta, last, .. } = &piece;
        let (vote, meta, last) = (*vote, meta.clone(), *last);
        let Some(spool) = self.take_piece(piece).await? else {
            return Ok(wire::encode(&SnapshotAnswer::Restart)?);
        };
        if !last {
            return Ok(wire::encode(&SnapshotAnswer::Taken(vote))?);
        }
        let body = spool.ok_or(ServeError::Shutdown)?.finish();
        // A damaged transfer ends here, with an error to its sender; openraft would stop on it.
        self.snapshots.parse(body.clone(), |_| Ok(())).await?;
        let snapshot = Snapshot { meta, snapshot: Box::new(body) };
        let answer = self.raft.install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
        Ok(wire::encode(&SnapshotAnswer::Taken(answer.vote))?)
    }

    /// Keeps a piece. `None`: it does not continue the transfer. `Some(Some)`: it was the last one.
    async fn take_piece(&self, piece: SnapshotPiece) -> Result<Option<Option<Spool>>, ServeError> {
        let mut slot = self.receiving.lock().await;
        if piece.offset == 0 {
            let spool = self.snapshots.spool()?;
            *slot = Some(Receiving { transfer: piece.transfer, offset: 0, spool });
        }
        let continues = |receiving: &&mut Receiving| {
            receiving.transfer == piece.transfer && receiving.offset == piece.offset
        };
        let Some(receiving) = slot.as_mut().filter(continues) else {
            warn!(offset = piece.offset, "a piece of a snapshot came out of order");
            *slot = None;
            return Ok(None);
        };
        receiving.spool.write(&piece.data)?;
        receiving.offset += piece.data.len() as u64;
        if !piece.last {
            return Ok(Some(None));
        }
        Ok(Some(slot.take().map(|receiving| receiving.spool)))
    }
}

fn stopped(_: impl std::error::Error) -> ServeError {
    ServeError::Shutdown
}
