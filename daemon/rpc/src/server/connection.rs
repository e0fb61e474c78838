//! What a connection is, by its first byte or by what TLS negotiated.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::calls::Single;
use super::tls::{TlsEntry, TlsIdentity, TlsSession};
use super::{Channel, Peer, PlainText, Server};
use crate::counters::Counters;
use crate::first_byte;
use crate::io::{Io, tune};
use crate::mux;

/// A protocol that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Calls(Channel),
    Snapshot,
}

/// A connection that can be served.
struct Opened {
    stream: Box<dyn Io>,
    protocol: Protocol,
    encrypted: bool,
    identity: Option<TlsIdentity>,
}

impl Server {
    /// Serves one connection to its end. After `stop`, no new streams are accepted on it.
    pub(super) async fn serve_connection(
        self: &Arc<Self>,
        socket: TcpStream,
        address: SocketAddr,
        stop: CancellationToken,
    ) {
        if let Err(error) = tune(&socket) {
            debug!(%address, %error, "could not tune a connection");
        }
        let opened = match timeout(self.limits.handshake_max, self.open(socket)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(reason)) => return self.refuse(address, &reason),
            Err(_) => return self.refuse(address, "the handshake took too long, see rpc_handshake_timeout"),
        };
        Counters::one(&self.counters.connections_accepted);
        let Opened { stream, protocol, encrypted, identity } = opened;
        let channel = match protocol {
            Protocol::Calls(channel) => channel,
            Protocol::Snapshot => Channel::Snapshot,
        };
        let peer = Peer { address, channel, encrypted, identity };
        match channel {
            Channel::Multiplexed => self.serve_multiplexed(peer, stream, stop).await,
            Channel::Single | Channel::Insecure => self.serve_calls(&peer, Single::new(stream)).await,
            Channel::Snapshot => self.serve_snapshot(&peer, stream).await,
        }
    }

    fn refuse(&self, address: SocketAddr, reason: &str) {
        Counters::one(&self.counters.connections_refused);
        if let Some(missed) = self.refusals.pass() {
            warn!(%address, missed, "connection refused: {reason}");
        }
    }

    async fn open(&self, socket: TcpStream) -> Result<Opened, String> {
        let mut first = [0];
        if socket.peek(&mut first).await.map_err(|error| error.to_string())? == 0 {
            return Err("it was closed before its first byte".to_owned());
        }
        let [first] = first;
        if first >= first_byte::NATIVE_TLS {
            return self.open_native(socket).await;
        }
        let mut stream: Box<dyn Io> = Box::new(socket);
        stream.read_u8().await.map_err(|error| error.to_string())?;
        match first {
            first_byte::TLS => self.open_mutual(stream).await,
            first_byte::TLS_INSECURE => {
                let session = self.handshake(stream, TlsEntry::Insecure).await?;
                Ok(encrypted(session, Protocol::Calls(Channel::Insecure)))
            }
            _ if self.limits.plain_text == PlainText::Refused => {
                Err("it is not encrypted, and incoming connections must be (verify_incoming)".to_owned())
            }
            _ => {
                let protocol = protocol_of(first)?;
                Ok(Opened { stream, protocol, encrypted: false, identity: None })
            }
        }
    }

    async fn open_mutual(&self, stream: Box<dyn Io>) -> Result<Opened, String> {
        let mut session = self.handshake(stream, TlsEntry::Mutual).await?;
        let first = session.stream.read_u8().await.map_err(|error| error.to_string())?;
        Ok(encrypted(session, protocol_of(first)?))
    }

    async fn open_native(&self, socket: TcpStream) -> Result<Opened, String> {
        let session = self.handshake(Box::new(socket), TlsEntry::Native).await?;
        let protocol = match session.alpn.as_deref() {
            Some(b"consul/rpc-single") => Protocol::Calls(Channel::Single),
            Some(b"consul/rpc-multi") => Protocol::Calls(Channel::Multiplexed),
            Some(b"consul/rpc-snapshot") => Protocol::Snapshot,
            Some(other) => {
                return Err(format!("protocol {:?} is not served", String::from_utf8_lossy(other)));
            }
            None => return Err("no protocol was negotiated".to_owned()),
        };
        Ok(encrypted(session, protocol))
    }

    async fn handshake(&self, stream: Box<dyn Io>, entry: TlsEntry) -> Result<TlsSession, String> {
        let tls = self.tls.as_ref().ok_or("it wants TLS, and this server has no certificate")?;
        tls.accept(stream, entry).await.map_err(|error| format!("TLS handshake failed: {error}"))
    }

    async fn serve_multiplexed(self: &Arc<Self>, peer: Peer, stream: Box<dyn Io>, stop: CancellationToken) {
        let config = mux::Config {
            streams_max: self.limits.streams_per_connection,
            keepalive: self.limits.keepalive,
            stall_max: self.limits.stall_max,
            budget: Arc::clone(&self.budget),
            counters: Arc::clone(&self.counters),
        };
        let (mux, driver) = mux::server(stream, config);
        let peer = Arc::new(peer);
        // A stream ends when its connection does, so whoever waits for the driver waits for little more.
        let streams = TaskTracker::new();
        let run = driver.run(|stream| {
            // Without a permit the stream is dropped, and so reset.
            let Some(permit) = self.admission.stream() else {
                return Counters::one(&self.counters.streams_refused);
            };
            let (server, peer) = (Arc::clone(self), Arc::clone(&peer));
            streams.spawn(async move {
                let _permit = permit;
                server.serve_calls(&peer, stream).await;
            });
        });
        let stopped = async {
            stop.cancelled().await;
            mux.drain();
            std::future::pending::<mux::Closed>().await
        };
        let closed = tokio::select! {
            closed = run => closed,
            closed = stopped => closed,
        };
        debug!(address = %peer.address, reason = %closed, "connection for calls ended");
        streams.close();
        streams.wait().await;
    }
}

fn encrypted(session: TlsSession, protocol: Protocol) -> Opened {
    let TlsSession { stream, alpn: _, identity } = session;
    Opened { stream, protocol, encrypted: true, identity }
}

/// What the first byte asks for, or why it is not served.
fn protocol_of(first: u8) -> Result<Protocol, String> {
    let reason = match first {
        first_byte::SINGLE => return Ok(Protocol::Calls(Channel::Single)),
        first_byte::MULTIPLEXED => return Ok(Protocol::Calls(Channel::Multiplexed)),
        first_byte::SNAPSHOT => return Ok(Protocol::Snapshot),
        first_byte::RAFT => {
            "a HashiCorp Consul server wants to share its Raft log; servers of the two kinds cannot form a quorum: \
             move its data with a snapshot, or give its datacenter another name and federate"
        }
        first_byte::MULTIPLEXED_OLD => "it speaks a multiplexing protocol that no supported release has",
        first_byte::GOSSIP => "gossip over the server port is not served",
        first_byte::GRPC => {
            "gRPC is not served; clients of release 1.10 and newer need use_streaming_backend = false"
        }
        first_byte::RAFT_FORWARDING => {
            "a HashiCorp Consul server forwards log entries; servers of the two kinds cannot form a quorum"
        }
        first_byte::TLS | first_byte::TLS_INSECURE => "it asks for TLS within TLS",
        other => return Err(format!("its first byte, {other}, is unknown")),
    };
    Err(reason.to_owned())
}
