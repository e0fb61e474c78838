//! openraft's requests to one peer, over the [`Transport`].

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use openraft::error::{
    Fatal, NetworkError, RPCError, RaftError, ReplicationClosed, StreamingError, Unreachable,
};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, RaftNetwork, RaftNetworkFactory};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::container::Container;
use crate::lease::Lease;
use crate::snapshot::{SnapshotBody, blocking};
use crate::transport::{Method, Transport, TransportError};
use crate::types::{Peer, ServerId, Snapshot, SnapshotMeta, TypeConfig, Vote};
use crate::wire::{self, SnapshotAnswer, SnapshotPiece, WireError};

/// Large enough to fill a fast link, small enough not to hold up heartbeats on a slow one.
const PIECE: usize = 256 << 10;
/// Writing a piece takes longer than answering a heartbeat. A piece or answer that was lost is noticed after this.
const PIECE_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Network {
    transport: Arc<dyn Transport>,
    lease: Arc<Lease>,
    container: Container,
    pause: Duration,
}

impl Network {
    /// `pause` is the time between tries to reach a peer that is not there. Longer than a heartbeat,
    /// and a peer that comes back would stand for election before it hears from its leader.
    pub fn new(
        transport: Arc<dyn Transport>,
        lease: Arc<Lease>,
        container: Container,
        pause: Duration,
    ) -> Self {
        Self { transport, lease, container, pause }
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: ServerId, node: &BasicNode) -> Link {
        Link {
            peer: Peer::new(target, node),
            transport: self.transport.clone(),
            lease: self.lease.clone(),
            container: self.container.clone(),
            pause: self.pause,
        }
    }
}

/// The way to one peer.
pub(crate) struct Link {
    peer: Peer,
    transport: Arc<dyn Transport>,
    lease: Arc<Lease>,
    container: Container,
    pause: Duration,
}

#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the snapshot could not be read")]
    Snapshot(#[from] io::Error),
    #[error("the receiver asks to start the snapshot again")]
    Restart,
}

type RpcError = RPCError<ServerId, BasicNode, RaftError<ServerId>>;

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Transport(TransportError::Unreachable { .. }) => {
                RPCError::Unreachable(Unreachable::new(&error))
            }
            _ => RPCError::Network(NetworkError::new(&error)),
        }
    }
}

impl From<CallError> for StreamingError<TypeConfig, Fatal<ServerId>> {
    fn from(error: CallError) -> Self {
        match &error {
            CallError::Transport(TransportError::Unreachable { .. }) => {
                StreamingError::Unreachable(Unreachable::new(&error))
            }
            _ => StreamingError::Network(NetworkError::new(&error)),
        }
    }
}

impl Link {
    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        request: &impl Serialize,
        timeout: Duration,
    ) -> Result<T, CallError> {
        let body = wire::encode_for(self.peer.id, request)?;
        let answer = self.transport.call(&self.peer, method, body, timeout).await?;
        Ok(wire::decode(&answer)?)
    }

    /// The snapshot as bytes: a held version is written out.
    async fn readable(&self, meta: &SnapshotMeta, body: SnapshotBody) -> io::Result<SnapshotBody> {
        let SnapshotBody::Held(source) = body else { return Ok(body) };
        let (container, meta) = (self.container.clone(), meta.clone());
        blocking(move || {
            let mut out = Vec::new();
            container.write(&mut out, meta.last_log_id, &meta.last_membership, &*source)?;
            Ok(SnapshotBody::Memory(out.into()))
        })
        .await
    }

    async fn send_snapshot(&self, vote: Vote, snapshot: Snapshot) -> Result<Vote, CallError> {
        let Snapshot { meta, snapshot } = snapshot;
        let body = self.readable(&meta, *snapshot).await?;
        let size = body.size()?;
        let transfer = rand::random();
        let mut offset = 0;
        loop {
            let data = read_piece(body.clone(), offset).await?;
            let sent = data.len() as u64;
            let last = offset + sent >= size;
            let piece = SnapshotPiece { vote, meta: meta.clone(), transfer, offset, data, last };
            match self.call(Method::Snapshot, &piece, PIECE_TIMEOUT).await? {
                // A receiver with a higher vote ends the transfer: openraft steps down on it.
                SnapshotAnswer::Taken(answered) if last || answered > vote => return Ok(answered),
                SnapshotAnswer::Taken(_) | SnapshotAnswer::Installing => offset += sent,
                SnapshotAnswer::Restart => return Err(CallError::Restart),
            }
        }
    }
}

async fn read_piece(body: SnapshotBody, offset: u64) -> io::Result<bytes::Bytes> {
    blocking(move || body.read_at(offset, PIECE)).await
}

impl RaftNetwork<TypeConfig> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<ServerId>, RpcError> {
        let sent = Instant::now();
        let answer = self.call(Method::Append, &request, option.hard_ttl()).await?;
        match answer {
            AppendEntriesResponse::HigherVote(_) => {}
            AppendEntriesResponse::Success
            | AppendEntriesResponse::PartialSuccess(_)
            | AppendEntriesResponse::Conflict => self.lease.on_ack(self.peer.id, &request.vote, sent),
        }
        Ok(answer)
    }

    async fn vote(
        &mut self,
        request: VoteRequest<ServerId>,
        option: RPCOption,
    ) -> Result<VoteResponse<ServerId>, RpcError> {
        Ok(self.call(Method::Vote, &request, option.hard_ttl()).await?)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<ServerId>, StreamingError<TypeConfig, Fatal<ServerId>>> {
        let mut cancelled = pin!(cancel.fuse());
        let mut sending = pin!(self.send_snapshot(vote, snapshot).fuse());
        futures::select_biased! {
            closed = cancelled => Err(closed.into()),
            result = sending => Ok(SnapshotResponse::new(result?)),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(self.pause))
    }
}
