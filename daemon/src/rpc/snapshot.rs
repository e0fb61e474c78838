//! Saving and restoring the whole state as an archive, for every door.

use std::fs::File;
use std::io::{self, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use consul_acl::{Access, Resource};
use consul_api::types::duration::GoDuration;
use consul_raft::RaftHandle;
use consul_rpc::server::SnapshotReply;
use consul_rpc::snapshot::{SnapshotOp, SnapshotRequest, SnapshotResponse};
use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncSeekExt};
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;
use tracing::{info, warn};

use super::write::require;
use super::{Consistency, ReadMeta, ReadOptions, RpcError, Token};
use crate::agent::Agent;
use crate::server::machine::Machine;

/// Parts of an archive that wait for a slow receiver.
const PARTS_MAX: usize = 8;
const PART: usize = 64 << 10;

/// Where bytes go that do not fit in memory: beside the data, which has room for them, else the system's directory.
pub fn spool_dir(agent: &Agent) -> PathBuf {
    agent.identity.data_dir.clone().unwrap_or_else(std::env::temp_dir)
}

/// The archive as it is written. It ends with an error if it cannot be written to its end.
pub fn save(
    agent: &Agent,
    options: &ReadOptions,
) -> Result<(ReadMeta, impl Stream<Item = io::Result<Bytes>> + Send + use<>), RpcError> {
    let server = agent.route(&options.datacenter)?;
    require(agent.authorize(&options.token)?.allows(Resource::Snapshot, Access::Write))?;
    let stale = matches!(options.consistency, Consistency::Stale { .. });
    if !stale && !server.raft.is_leader() {
        return Err(RpcError::NoLeader);
    }
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
    Ok((meta, archive))
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

/// May the caller restore here? Asked before anything is received.
pub fn admit_restore(agent: &Agent, datacenter: &str, token: &Token) -> Result<(), RpcError> {
    let server = agent.route(datacenter)?;
    require(agent.authorize(token)?.allows(Resource::Snapshot, Access::Write))?;
    if server.raft.is_leader() { Ok(()) } else { Err(RpcError::NoLeader) }
}

/// Replaces the state by the archive in `spool`.
pub async fn restore(agent: &Agent, datacenter: &str, spool: File) -> Result<(), RpcError> {
    let server = agent.route(datacenter)?;
    server.raft.restore(spool).await.map_err(|error| RpcError::refused(error.to_string()))?;
    info!(target: "agent.server.snapshot", "restored a snapshot");
    Ok(())
}

/// Serves what another agent asks on a snapshot connection.
pub async fn serve(
    agent: &Arc<Agent>,
    request: SnapshotRequest,
    archive: &mut (dyn AsyncRead + Send + Unpin),
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
            admit_restore(agent, &datacenter, &token)?;
            let spool = spool(&spool_dir(agent), archive).await;
            let spool =
                spool.map_err(|error| RpcError::refused(format!("failed to read snapshot file: {error}")))?;
            restore(agent, &datacenter, spool).await?;
            Ok(SnapshotReply { response: SnapshotResponse::default(), archive: None })
        }
        Some(SnapshotOp::Save) => {
            let consistency =
                if allow_stale { Consistency::Stale { max: None } } else { Consistency::Default };
            let options = ReadOptions { datacenter, token, consistency, ..ReadOptions::default() };
            let (meta, archive) = save(agent, &options)?;
            let response = SnapshotResponse {
                index: meta.index,
                known_leader: meta.known_leader,
                last_contact: GoDuration::from(meta.last_contact).0,
                ..SnapshotResponse::default()
            };
            Ok(SnapshotReply { response, archive: Some(Box::new(StreamReader::new(Box::pin(archive)))) })
        }
    }
}

/// Takes an archive to disk: it may be larger than memory, and nothing may happen before all of it is known to be
/// sound.
async fn spool(dir: &std::path::Path, archive: &mut (dyn AsyncRead + Send + Unpin)) -> io::Result<File> {
    let mut out = tokio::fs::File::from_std(tempfile::tempfile_in(dir)?);
    tokio::io::copy(archive, &mut out).await?;
    out.seek(SeekFrom::Start(0)).await?;
    Ok(out.into_std().await)
}
