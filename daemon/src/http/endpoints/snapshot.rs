//! `/v1/snapshot`: the whole state as an archive, out and in.

use std::fs::File;
use std::io::{self, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use consul_acl::{Access, Resource};
use consul_raft::RaftHandle;
use futures::stream;
use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::write::require;
use crate::rpc::{Consistency, ReadMeta, RpcError};
use crate::server::machine::Machine;

pub const ROUTES: &[Route] = &[Route::exact("/v1/snapshot", &[Method::GET, Method::PUT], handler!(handle))];

const GZIP: &str = "application/x-gzip";
/// Parts of an archive that wait for a slow client.
const PARTS_MAX: usize = 8;
const PART: usize = 64 << 10;

async fn handle(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::PUT { restore(agent, request).await } else { save(agent, request).await }
}

/// Where bytes go that do not fit in memory: beside the data, which has room for them, else the system's directory.
fn spool_dir(agent: &Agent) -> PathBuf {
    agent.identity.data_dir.clone().unwrap_or_else(std::env::temp_dir)
}

async fn save(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::consistency_options(&request)?;
    let server = agent.route(&options.datacenter)?;
    require(agent.authorize(&options.token)?.allows(Resource::Snapshot, Access::Write))?;
    let stale = matches!(options.consistency, Consistency::Stale { .. });
    if !stale && !server.raft.is_leader() {
        return Err(RpcError::NoLeader.into());
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
    let body =
        stream::unfold(received, |mut received| async move { Some((received.recv().await?, received)) });
    Ok(Reply::stream(Some(GZIP), Box::pin(body)).with_meta(&meta, MetaHeaders::Index))
}

fn write_archive(raft: &RaftHandle<Machine>, parts: mpsc::Sender<io::Result<Bytes>>) {
    let mut out = PartWriter { parts, buffer: BytesMut::with_capacity(PART) };
    let written = raft.save(&mut out).and_then(|()| out.flush());
    if let Err(error) = written {
        if !out.parts.is_closed() {
            warn!(target: "agent.server.snapshot", %error, "could not write a snapshot");
        }
        // The client sees a broken transfer rather than an archive that ends early.
        let _ = out.parts.blocking_send(Err(error));
    }
}

/// Hands bytes over in parts. Fails once the client is gone, which ends the writing.
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

async fn restore(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    let server = agent.route(&options.datacenter)?;
    require(agent.authorize(&options.token)?.allows(Resource::Snapshot, Access::Write))?;
    if !server.raft.is_leader() {
        return Err(RpcError::NoLeader.into());
    }
    let spool = receive(&mut request, &spool_dir(&agent)).await?;
    server.raft.restore(spool).await.map_err(|error| Failure::internal(error.to_string()))?;
    info!(target: "agent.server.snapshot", "restored a snapshot");
    Ok(Reply::empty())
}

/// Takes the body to disk: it may be larger than memory, and nothing may happen before all of it is known to be sound.
async fn receive(request: &mut Request, dir: &Path) -> Result<File, Failure> {
    let unwritable = |error: io::Error| Failure::internal(format!("failed to buffer the snapshot: {error}"));
    let file = tempfile::tempfile_in(dir).map_err(unwritable)?;
    let mut out = tokio::fs::File::from_std(file);
    while let Some(frame) = request.body.frame().await {
        let frame = frame.map_err(|_| Failure::internal("failed to read snapshot: unexpected EOF"))?;
        if let Some(data) = frame.data_ref() {
            out.write_all(data).await.map_err(unwritable)?;
        }
    }
    out.seek(SeekFrom::Start(0)).await.map_err(unwritable)?;
    Ok(out.into_std().await)
}
