//! Requests of other servers, answered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use thiserror::Error;
use tokio::sync::watch;
use tracing::warn;

use crate::contact::Contact;
use crate::elector::{Answer, Canvass, would_elect};
use crate::lease::Lease;
use crate::log::Log;
use crate::snapshot::{SnapshotBody, SnapshotStore, Spool};
use crate::transport::Method;
use crate::types::{OpenRaft, Snapshot, SnapshotMeta, TypeConfig, Vote};
use crate::wire::{self, SnapshotAnswer, SnapshotPiece, WireError};

/// How long the request with the last piece of a snapshot waits for the installation before it says that it lasts.
const INSTALL_WAIT: Duration = Duration::from_secs(1);

/// Why a request of another server was not answered.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("{0}")]
    Message(String),
    #[error("could not take a piece of a snapshot")]
    Spool(#[from] std::io::Error),
    #[error("raft is shutdown")]
    Shutdown,
}

impl From<WireError> for ServeError {
    fn from(error: WireError) -> Self {
        Self::Message(error.to_string())
    }
}

pub(crate) struct Server {
    me: crate::ServerId,
    raft: OpenRaft,
    snapshots: Arc<SnapshotStore>,
    log: Log,
    lease: Arc<Lease>,
    contact: Arc<Contact>,
    /// The one transfer in progress: openraft's leader sends one at a time.
    transfer: tokio::sync::Mutex<Option<Transfer>>,
}

struct Transfer {
    id: u64,
    stage: Stage,
}

enum Stage {
    Receiving { offset: u64, spool: Spool },
    Installing(watch::Receiver<Installed>),
}

/// The vote after the installation, or why it failed; `None` while it lasts.
type Installed = Option<Result<Vote, String>>;

enum Piece {
    /// It does not continue the transfer.
    OutOfOrder,
    Taken,
    Last(watch::Receiver<Installed>),
}

impl Server {
    pub fn new(
        me: crate::ServerId,
        raft: OpenRaft,
        snapshots: Arc<SnapshotStore>,
        log: Log,
        lease: Arc<Lease>,
        contact: Arc<Contact>,
    ) -> Self {
        Self { me, raft, snapshots, log, lease, contact, transfer: tokio::sync::Mutex::default() }
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
        let request: AppendEntriesRequest<TypeConfig> = wire::decode_for(self.me, body)?;
        // A new leader knows all that was ever committed once an entry of its own is.
        let of_leader = |committed: &crate::types::LogId| committed.leader_id == request.vote.leader_id;
        let committed = request.leader_commit.filter(of_leader).map(|committed| committed.index);
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
        let Canvass { last_log_id } = wire::decode_for(self.me, body)?;
        let yes = would_elect(&self.contact, &self.lease, &self.log, last_log_id);
        Ok(wire::encode(&Answer { yes })?)
    }

    async fn vote(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let request: VoteRequest<crate::ServerId> = wire::decode_for(self.me, body)?;
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
        wire::decode_for::<()>(self.me, body)?;
        self.contact.back_successor();
        if !self.contact.is_bound() {
            self.raft.trigger().elect().await.map_err(stopped)?;
        }
        Ok(wire::encode(&())?)
    }

    async fn snapshot(&self, body: &[u8]) -> Result<Bytes, ServeError> {
        let piece: SnapshotPiece = wire::decode_for(self.me, body)?;
        let vote = self.raft.with_raft_state(|state| *state.vote_ref()).await.map_err(stopped)?;
        if piece.vote < vote {
            return Ok(wire::encode(&SnapshotAnswer::Taken(vote))?);
        }
        let _working = self.contact.begin();
        self.contact.on_accepted(None);
        let vote = piece.vote;
        let answer = match self.take_piece(piece).await? {
            Piece::OutOfOrder => SnapshotAnswer::Restart,
            Piece::Taken => SnapshotAnswer::Taken(vote),
            Piece::Last(mut installed) => {
                let done = installed.wait_for(Option::is_some);
                match tokio::time::timeout(INSTALL_WAIT, done).await {
                    Err(_) => SnapshotAnswer::Installing,
                    Ok(Err(_)) => return Err(ServeError::Shutdown),
                    Ok(Ok(done)) => match &*done {
                        Some(Ok(answered)) => SnapshotAnswer::Taken(*answered),
                        Some(Err(reason)) => return Err(ServeError::Message(reason.clone())),
                        None => SnapshotAnswer::Installing,
                    },
                }
            }
        };
        Ok(wire::encode(&answer)?)
    }

    async fn take_piece(&self, piece: SnapshotPiece) -> Result<Piece, ServeError> {
        let mut slot = self.transfer.lock().await;
        match &mut *slot {
            Some(Transfer { id, stage: Stage::Installing(installed) }) if *id == piece.transfer => {
                return Ok(Piece::Last(installed.clone()));
            }
            Some(Transfer { id, stage: Stage::Receiving { offset, .. } })
                if *id == piece.transfer && piece.offset < *offset =>
            {
                return Ok(Piece::Taken);
            }
            _ => {}
        }
        if piece.offset == 0 {
            let stage = Stage::Receiving { offset: 0, spool: self.snapshots.spool()? };
            *slot = Some(Transfer { id: piece.transfer, stage });
        }
        // Whatever goes wrong from here on ends the transfer.
        let (id, mut received, mut spool) = match slot.take() {
            Some(Transfer { id, stage: Stage::Receiving { offset, spool } })
                if id == piece.transfer && offset == piece.offset =>
            {
                (id, offset, spool)
            }
            _ => {
                warn!(offset = piece.offset, "a piece of a snapshot came out of order");
                return Ok(Piece::OutOfOrder);
            }
        };
        spool.write(&piece.data)?;
        received += piece.data.len() as u64;
        if !piece.last {
            *slot = Some(Transfer { id, stage: Stage::Receiving { offset: received, spool } });
            return Ok(Piece::Taken);
        }
        let installed = self.install(piece.vote, piece.meta, spool.finish());
        *slot = Some(Transfer { id, stage: Stage::Installing(installed.clone()) });
        Ok(Piece::Last(installed))
    }

    /// Installs beside the request, which may be given up before a large state is parsed.
    fn install(&self, vote: Vote, meta: SnapshotMeta, body: SnapshotBody) -> watch::Receiver<Installed> {
        let (done, installed) = watch::channel(None);
        let (raft, snapshots) = (self.raft.clone(), self.snapshots.clone());
        tokio::spawn(async move {
            // A damaged transfer ends here, with an error to its sender; openraft would stop on it.
            let result = match snapshots.parse(body.clone(), |_| Ok(())).await {
                Err(error) => Err(format!("the received snapshot was refused: {error}")),
                Ok(()) => {
                    let snapshot = Snapshot { meta, snapshot: Box::new(body) };
                    let answer = raft.install_full_snapshot(vote, snapshot).await;
                    answer.map(|answer| answer.vote).map_err(|error| error.to_string())
                }
            };
            done.send_replace(Some(result));
        });
        installed
    }
}

fn stopped(_: impl std::error::Error) -> ServeError {
    ServeError::Shutdown
}
