//! Saves and restores snapshots, each on a connection of its own.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Chain, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::error::SnapshotError;
use super::pool::Pool;
use super::target::Target;
use crate::codec::MessageReader;
use crate::first_byte;
use crate::io::Io;
use crate::snapshot::{MESSAGE_MAX, SnapshotRequest, SnapshotResponse};

/// A snapshot that is on its way: read the archive from it.
pub struct SavedSnapshot {
    /// What came before the archive.
    pub response: SnapshotResponse,
    archive: Chain<Cursor<Bytes>, Box<dyn Io>>,
}

/// A snapshot that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredSnapshot {
    /// What the server said.
    pub response: SnapshotResponse,
}

impl AsyncRead for SavedSnapshot {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.archive).poll_read(cx, buf)
    }
}

impl Pool {
    /// Asks for a snapshot. Returns once the server has one; `deadline` is for that, not for the archive.
    pub async fn save_snapshot(
        &self,
        target: &Target,
        request: &SnapshotRequest,
        deadline: Instant,
    ) -> Result<SavedSnapshot, SnapshotError> {
        let saving = async {
            let mut stream = self.open_snapshot(target, request).await?;
            stream.shutdown().await?;
            let (response, rest) = read_response(&mut stream).await?;
            Ok(SavedSnapshot { response, archive: Cursor::new(rest).chain(stream) })
        };
        timeout_at(deadline, saving).await.unwrap_or(Err(SnapshotError::Timeout))
    }

    /// Has the server replace its state by `archive`, which is read to its end.
    pub async fn restore_snapshot(
        &self,
        target: &Target,
        request: &SnapshotRequest,
        archive: &mut (dyn AsyncRead + Send + Unpin),
        deadline: Instant,
    ) -> Result<RestoredSnapshot, SnapshotError> {
        let restoring = async {
            let mut stream = self.open_snapshot(target, request).await?;
            let sent = send_archive(archive, &mut stream).await?;
            // A server that refuses says why before it has read everything: its text is worth more than our error.
            match (read_response(&mut stream).await, sent) {
                (Ok((response, _)), _) => Ok(RestoredSnapshot { response }),
                (Err(SnapshotError::Remote(text)), _) => Err(SnapshotError::Remote(text)),
                (Err(_), Err(error)) => Err(error.into()),
                (Err(error), Ok(())) => Err(error),
            }
        };
        timeout_at(deadline, restoring).await.unwrap_or(Err(SnapshotError::Timeout))
    }

    async fn open_snapshot(
        &self,
        target: &Target,
        request: &SnapshotRequest,
    ) -> Result<Box<dyn Io>, SnapshotError> {
        let request = request.encode().map_err(io::Error::other)?;
        let mut stream = self.dial(target, first_byte::SNAPSHOT).await?;
        stream.write_all(&request).await?;
        Ok(stream)
    }
}

/// Sends all of an archive, and its end. The outer error is the archive's, after which there is nothing to wait for;
/// the inner one the connection's.
async fn send_archive(
    archive: &mut (dyn AsyncRead + Send + Unpin),
    stream: &mut Box<dyn Io>,
) -> Result<io::Result<()>, SnapshotError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let len = archive.read(&mut buffer).await.map_err(SnapshotError::Archive)?;
        let Some(data) = buffer.get(..len).filter(|data| !data.is_empty()) else {
            return Ok(stream.shutdown().await);
        };
        if let Err(error) = stream.write_all(data).await {
            return Ok(Err(error));
        }
    }
}

async fn read_response(stream: &mut Box<dyn Io>) -> Result<(SnapshotResponse, Bytes), SnapshotError> {
    let mut reader = MessageReader::new();
    let value = reader.read_value(stream, MESSAGE_MAX).await.map_err(SnapshotError::Response)?;
    let value = value.ok_or_else(|| SnapshotError::Io(io::ErrorKind::UnexpectedEof.into()))?;
    let malformed = |error| SnapshotError::Response(crate::codec::CodecError::Malformed(error));
    let response = SnapshotResponse::decode(&value).map_err(malformed)?;
    if response.error.is_empty() {
        Ok((response, reader.into_rest()))
    } else {
        Err(SnapshotError::Remote(response.error))
    }
}
