//! Moves the bytes of one stream.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::swim::StreamId;

const READ_CHUNK: usize = 16 * 1024;

/// What happened to a stream.
#[derive(Debug)]
pub(super) enum Happened {
    Connected,
    Bytes(Vec<u8>),
    Closed,
    Failed(String),
}

/// What is to be done with a stream.
#[derive(Debug)]
pub(super) enum Order {
    Write(Bytes),
    /// Close when everything is written.
    Close,
}

pub(super) type Events = mpsc::Sender<(StreamId, Happened)>;

/// Opens a stream and moves its bytes. `patience` bounds connecting and each write.
pub(super) async fn dial(
    id: StreamId,
    to: SocketAddr,
    patience: Duration,
    events: Events,
    orders: mpsc::Receiver<Order>,
) {
    let connected = match timeout(patience, TcpStream::connect(to)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    match connected {
        Ok(stream) => {
            if events.send((id, Happened::Connected)).await.is_ok() {
                carry(id, stream, patience, events, orders).await;
            }
        }
        Err(error) => {
            let reason = format!("dial tcp {to}: connect: {}", os_text(&error));
            let _ = events.send((id, Happened::Failed(reason))).await;
        }
    }
}

/// Moves the bytes of an open stream until it is to be closed.
pub(super) async fn carry(
    id: StreamId,
    stream: impl AsyncRead + AsyncWrite,
    patience: Duration,
    events: Events,
    mut orders: mpsc::Receiver<Order>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut chunk = vec![0; READ_CHUNK];
    let mut reading = true;
    loop {
        tokio::select! {
            order = orders.recv() => {
                let done = match order {
                    Some(Order::Write(bytes)) => timeout(patience, writer.write_all(&bytes)).await,
                    Some(Order::Close) | None => {
                        let _ = timeout(patience, writer.shutdown()).await;
                        return;
                    }
                };
                let done = done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                if let Err(error) = done {
                    let _ = events.send((id, Happened::Failed(error.to_string()))).await;
                    return;
                }
            }
            read = reader.read(&mut chunk), if reading => {
                let happened = match read {
                    Ok(0) => Happened::Closed,
                    Ok(len) => Happened::Bytes(chunk.get(..len).unwrap_or_default().to_vec()),
                    Err(error) => Happened::Failed(error.to_string()),
                };
                reading = matches!(happened, Happened::Bytes(_));
                if events.send((id, happened)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The system's own words, as users know them: in lower case and without its number.
fn os_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
