//! A connection that saves or restores one snapshot.

use std::io::{self, Cursor};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tracing::debug;

use super::{CallError, Peer, Server, SnapshotReply};
use crate::codec::MessageReader;
use crate::counters::Counters;
use crate::io::Io;
use crate::patience::now_or_within;
use crate::snapshot::{MESSAGE_MAX, SnapshotRequest, SnapshotResponse};

const OVERLOADED: &str = "rate limit exceeded, try again later or against a different server";
const COPY_LEN: usize = 64 * 1024;

impl Server {
    /// Serves the one request of a snapshot's connection.
    pub(super) async fn serve_snapshot(&self, peer: &Peer, mut stream: Box<dyn Io>) {
        Counters::one(&self.counters.calls);
        let served = self.snapshot(peer, &mut stream).await;
        if let Err(error) = served {
            Counters::one(&self.counters.calls_failed);
            debug!(address = %peer.address, %error, "snapshot connection broke");
        }
    }

    async fn snapshot(&self, peer: &Peer, stream: &mut Box<dyn Io>) -> io::Result<()> {
        let Some(_permit) = self.admission.snapshot() else {
            Counters::one(&self.counters.calls_refused);
            return self.send_reply(stream, failed(OVERLOADED)).await;
        };
        let mut reader = MessageReader::new();
        let request = timeout(self.limits.handshake_max, reader.read_value(stream, MESSAGE_MAX)).await;
        let Ok(Ok(Some(request))) = request else {
            Counters::one(&self.counters.protocol_errors);
            return Ok(());
        };
        let reply = match SnapshotRequest::decode(&request) {
            Err(error) => failed(format!("failed to decode request: {error}")),
            Ok(request) => {
                let mut archive = Cursor::new(reader.into_rest()).chain(&mut *stream);
                let reply = self.handler.snapshot(peer, request, &mut archive).await;
                reply.unwrap_or_else(|error| failed(text_of(error)))
            }
        };
        self.send_reply(stream, reply).await
    }

    async fn send_reply(&self, stream: &mut Box<dyn Io>, reply: SnapshotReply) -> io::Result<()> {
        let response = reply.response.encode().map_err(io::Error::other)?;
        let mut archive = reply.archive.filter(|_| reply.response.error.is_empty());
        timeout(self.limits.stall_max, stream.write_all(&response)).await??;
        if let Some(archive) = &mut archive {
            self.copy(archive, stream).await?;
        }
        timeout(self.limits.stall_max, stream.shutdown()).await??;
        Ok(())
    }

    /// Copies to the end, as long as the peer takes something now and then.
    async fn copy(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<()> {
        let mut buffer = vec![0; COPY_LEN];
        loop {
            let len = from.read(&mut buffer).await?;
            let Some(mut data) = buffer.get(..len).filter(|data| !data.is_empty()) else { return Ok(()) };
            while !data.is_empty() {
                let written = now_or_within(to.write(data), self.limits.stall_max).await;
                let written = written.ok_or(io::ErrorKind::TimedOut)??;
                Counters::add(&self.counters.bytes_written, written);
                data = data.get(written..).unwrap_or_default();
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
            }
        }
    }
}

fn failed(text: impl Into<String>) -> SnapshotReply {
    SnapshotReply { response: SnapshotResponse::failed(text), archive: None }
}

fn text_of(error: CallError) -> String {
    match error {
        CallError::Failed(text) | CallError::Malformed(text) => text,
        CallError::UnknownService | CallError::UnknownMethod => "rpc: can't find service Snapshot".to_owned(),
    }
}
