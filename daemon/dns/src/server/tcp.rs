//! The TCP loop: length-prefixed messages, several in the works per connection, replies as they become ready.

use std::io;
use std::net::SocketAddr;

use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::Shared;
use crate::LOG;
use crate::reply::Transport;
use crate::request::HEADER_LEN;
use crate::resolver::{Client, Step};

/// Pause after a failed accept: the usual reason, no free file descriptor, does not pass in no time.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Accepts connections until the server stops.
pub(super) async fn run(listener: TcpListener, shared: Shared) {
    loop {
        let Some((stream, addr, permit)) = shared.stop.run_until_cancelled(accept(&listener, &shared)).await
        else {
            return;
        };
        let connection = Connection { shared: shared.clone(), addr };
        shared.tasks.spawn(async move {
            let abort = connection.shared.abort.clone();
            if let Some(Err(error)) = abort.run_until_cancelled(connection.serve(stream)).await {
                debug!(target: LOG, client = %addr, %error, "tcp connection ended");
            }
            drop(permit);
        });
    }
}

async fn accept(listener: &TcpListener, shared: &Shared) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = shared.connections.clone().acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, addr)) => return (stream, addr, permit),
            Err(error) => {
                debug!(target: LOG, %error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Connection {
    shared: Shared,
    addr: SocketAddr,
}

impl Connection {
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (read, mut write) = stream.into_split();
        let mut incoming = Box::pin(next_message(BufReader::new(read)));
        let mut pending: FuturesUnordered<BoxFuture<'static, Vec<u8>>> = FuturesUnordered::new();
        let limits = self.shared.limits;
        let mut open = true;
        while open || !pending.is_empty() {
            let room = open && pending.len() < limits.pipeline_max;
            tokio::select! {
                Some(reply) = pending.next() => self.send(&mut write, &reply).await?,
                () = self.shared.stop.cancelled(), if open => open = false,
                // Only a connection with nothing in the works is idle.
                () = sleep(limits.idle_timeout), if open && pending.is_empty() => open = false,
                message = &mut incoming, if room => match message? {
                    Some((packet, reader)) => {
                        incoming = Box::pin(next_message(reader));
                        self.take(&packet, &pending);
                    }
                    None => open = false,
                },
            }
        }
        write.shutdown().await
    }

    fn take(&self, packet: &[u8], pending: &FuturesUnordered<BoxFuture<'static, Vec<u8>>>) {
        match self.shared.resolver.take(packet, Client { addr: self.addr, transport: Transport::Tcp }) {
            Step::Drop => {}
            Step::Reply(reply) => pending.push(std::future::ready(reply).boxed()),
            Step::Later(later) => pending.push(later),
        }
    }

    async fn send(&self, write: &mut OwnedWriteHalf, reply: &[u8]) -> io::Result<()> {
        let len = u16::try_from(reply.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // One segment: some clients read the length and the message with one call.
        let framed = [&len.to_be_bytes()[..], reply].concat();
        timeout(self.shared.limits.idle_timeout, write.write_all(&framed)).await?
    }
}

type Reader = BufReader<OwnedReadHalf>;

/// The next message and the reader to go on with; `None` at the end of the stream. A message too short to be one ends
/// the connection: what follows could not be told from garbage.
async fn next_message(mut reader: Reader) -> io::Result<Option<(Vec<u8>, Reader)>> {
    let len = match reader.read_u16().await {
        Ok(len) => usize::from(len),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if len < HEADER_LEN {
        return Ok(None);
    }
    let mut packet = vec![0; len];
    reader.read_exact(&mut packet).await?;
    Ok(Some((packet, reader)))
}
