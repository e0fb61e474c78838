//! Saving and restoring the whole state as an archive, for every door.

use std::fs::File;
use std::io::{self, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use consul_acl::{Access, Resource};
use consul_api::types::duration::GoDuration;
use consul_raft::RaftHandle;
use consul_rpc::client::Target;
use consul_rpc::server::SnapshotReply;
use consul_rpc::snapshot::{SnapshotOp, SnapshotRequest, SnapshotResponse};
use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncSeekExt};
use tokio::sync::mpsc;
use tokio_util::io::{ReaderStream, StreamReader};
use tracing::{info, warn};

use super::path::{Need, Repeat, Route};
use super::write::require;
use super::{Consistency, ReadMeta, ReadOptions, RpcError, Token, WriteOptions};
use crate::agent::Agent;
use crate::server::Server;
use crate::server::machine::Machine;

/// Parts of an archive that wait for a slow receiver.
const PARTS_MAX: usize = 8;
const PART: usize = 64 << 10;
/// How long a restore on another server may take, from the first byte that is sent to its answer.
const RESTORE_LIMIT: Duration = Duration::from_secs(3600);

/// An archive as it is written. It ends with an error if it cannot be written to its end.
pub type SavedArchive = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;
/// An archive as it is read.
pub type Archive<'a> = dyn AsyncRead + Send + Unpin + 'a;

/// Saves the state of a datacenter: of its leader, or of any server for a stale snapshot.
pub async fn save(agent: &Agent, options: &ReadOptions) -> Result<(ReadMeta, SavedArchive), RpcError> {
    require(agent.authorize(&options.token)?.allows(Resource::Snapshot, Access::Write))?;
    agent.admit_request()?;
    let options = agent.addressed(options);
    let need = match options.consistency {
        // Without a leader a snapshot of what a server has is worth all the more.
        Consistency::Stale { .. } => Need::AnyServer,
        Consistency::Default | Consistency::Consistent => Need::Leader,
    };
    let mut patience = agent.patience(false);
    loop {
        let outcome = match agent.route_to(&options.datacenter, need, false) {
            Ok(Route::Here(server)) => return Ok(save_here(server)),
            Ok(Route::There(target)) => save_there(agent, &target, &options).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(saved) => return Ok(saved),
            Err(failure) => patience.after(failure, Repeat::Always).await?,
        }
    }
}

fn save_here(server: &Server) -> (ReadMeta, SavedArchive) {
    let meta = ReadMeta {
        index: server.store.version().index(),
        known_leader: server.raft.leader().is_some(),
        last_contact: server.raft.last_contact().unwrap_or_default(),
        ..ReadMeta::default()
    };
    let (parts, received) = mpsc::channel(PARTS_MAX);
    let raft = server.raft.clone();
    tokio::task::spawn_blocking(move || write_archive(&raft, parts));
    let archive =
        stream::unfold(received, |mut received| async move { Some((received.recv().await?, received)) });
    (meta, Box::pin(archive))
}

async fn save_there(
    agent: &Agent,
    target: &Target,
    options: &ReadOptions,
) -> Result<(ReadMeta, SavedArchive), RpcError> {
    let request = SnapshotRequest {
        datacenter: options.datacenter.clone(),
        token: options.token.as_str().to_owned(),
        allow_stale: matches!(options.consistency, Consistency::Stale { .. }),
        op: SnapshotOp::Save.number(),
    };
    let saved = agent.servers.save_snapshot(target, &request, agent.answer_limit()).await?;
    let meta = ReadMeta {
        index: saved.response.index,
        known_leader: saved.response.known_leader,
        last_contact: Duration::from_nanos(u64::try_from(saved.response.last_contact).unwrap_or(0)),
        ..ReadMeta::default()
    };
    Ok((meta, Box::pin(ReaderStream::with_capacity(saved, PART))))
}

fn write_archive(raft: &RaftHandle<Machine>, parts: mpsc::Sender<io::Result<Bytes>>) {
    let mut out = PartWriter { parts, buffer: BytesMut::with_capacity(PART) };
    let written = raft.save(&mut out).and_then(|()| out.flush());
    if let Err(error) = written {
        if !out.parts.is_closed() {
            warn!(target: "agent.server.snapshot", %error, "could not write a snapshot");
        }
        // The receiver sees a broken transfer rather than an archive that ends early.
        let _ = out.parts.blocking_send(Err(error));
    }
}

/// Hands bytes over in parts. Fails once the receiver is gone, which ends the writing.
struct PartWriter {
    parts: mpsc::Sender<io::Result<Bytes>>,
    buffer: BytesMut,
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let part = self.buffer.split().freeze();
        self.parts.blocking_send(Ok(part)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// Replaces the state of a datacenter by `archive`, which only its leader can do.
pub async fn restore(
    agent: &Agent,
    options: &WriteOptions,
    archive: &mut Archive<'_>,
) -> Result<(), RpcError> {
    require(agent.authorize(&options.token)?.allows(Resource::Snapshot, Access::Write))?;
    agent.admit_request()?;
    let options = agent.addressed(&options.into());
    let mut patience = agent.patience(false);
    loop {
        let failure = match agent.route_to(&options.datacenter, Need::Leader, false) {
            Ok(Route::Here(server)) => return restore_here(agent, server, archive).await,
            Ok(Route::There(target)) => {
                let request = SnapshotRequest {
                    datacenter: options.datacenter.clone(),
                    token: options.token.as_str().to_owned(),
                    allow_stale: false,
                    op: SnapshotOp::Restore.number(),
                };
                match agent.servers.restore_snapshot(&target, &request, archive, RESTORE_LIMIT).await {
                    // Nothing of the archive was read yet.
                    Err(failure @ RpcError::Unanswered { sent: false, .. }) => failure,
                    done => return done,
                }
            }
            Err(failure) => failure,
        };
        patience.after(failure, Repeat::IfNotSent).await?;
    }
}

async fn restore_here(agent: &Agent, server: &Server, archive: &mut Archive<'_>) -> Result<(), RpcError> {
    let spool = spool(&spool_dir(agent), archive).await?;
    server.raft.restore(spool).await.map_err(|error| RpcError::refused(error.to_string()))?;
    info!(target: "agent.server.snapshot", "restored a snapshot");
    Ok(())
}

/// Where bytes go that do not fit in memory: beside the data, which has room for them, else the system's directory.
fn spool_dir(agent: &Agent) -> PathBuf {
    agent.identity.data_dir.clone().unwrap_or_else(std::env::temp_dir)
}

/// Takes an archive to disk: it may be larger than memory, and nothing may happen before all of it is known to be
/// sound.
async fn spool(dir: &Path, archive: &mut Archive<'_>) -> Result<File, RpcError> {
    let unwritable = |error: io::Error| RpcError::refused(format!("failed to buffer the snapshot: {error}"));
    let mut out = tokio::fs::File::from_std(tempfile::tempfile_in(dir).map_err(unwritable)?);
    tokio::io::copy(archive, &mut out)
        .await
        .map_err(|error| RpcError::refused(format!("failed to read snapshot file: {error}")))?;
    out.seek(SeekFrom::Start(0)).await.map_err(unwritable)?;
    Ok(out.into_std().await)
}

/// Serves what another agent asks on a snapshot connection; a server that does not lead hands it on.
pub async fn serve(
    agent: &Arc<Agent>,
    request: SnapshotRequest,
    archive: &mut Archive<'_>,
) -> Result<SnapshotReply, RpcError> {
    let SnapshotRequest { datacenter, token, allow_stale, op } = request;
    if datacenter.is_empty() {
        return Err(RpcError::NoPathToDatacenter);
    }
    let token = Token::from(token.as_str());
    match SnapshotOp::from_number(op) {
        None => Err(RpcError::refused(format!("unrecognized snapshot op {op}"))),
        Some(SnapshotOp::Restore) if allow_stale => Err(RpcError::refused("stale not allowed for restore")),
        Some(SnapshotOp::Restore) => {
            let options = WriteOptions { datacenter, token, ..WriteOptions::default() };
            restore(agent, &options, archive).await?;
            Ok(SnapshotReply { response: SnapshotResponse::default(), archive: None })
        }
        Some(SnapshotOp::Save) => {
            let consistency =
                if allow_stale { Consistency::Stale { max: None } } else { Consistency::Default };
            let options = ReadOptions { datacenter, token, consistency, ..ReadOptions::default() };
            let (meta, archive) = save(agent, &options).await?;
            let response = SnapshotResponse {
                index: meta.index,
                known_leader: meta.known_leader,
                last_contact: GoDuration::from(meta.last_contact).0,
                ..SnapshotResponse::default()
            };
            Ok(SnapshotReply { response, archive: Some(Box::new(StreamReader::new(archive))) })
        }
    }
}
