//! Where TLS plugs in.

use std::io;

use async_trait::async_trait;

use crate::io::Io;

/// How a connection came to TLS, which decides what is asked of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsEntry {
    /// First byte 3: the ordinary case. A certificate is asked for if incoming calls are verified.
    Mutual,
    /// First byte 7: peers that are about to get their first certificate. None is asked for.
    Insecure,
    /// TLS from the first byte on; the protocol is negotiated.
    Native,
}

/// What is known of a peer from its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The peer's certificate, in DER. Its chain was verified.
    pub certificate: Vec<u8>,
}

/// An encrypted connection.
pub struct TlsSession {
    /// What is inside.
    pub stream: Box<dyn Io>,
    /// The protocol that was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// Who the peer is, if it proved it.
    pub identity: Option<TlsIdentity>,
}

/// Does handshakes. Holds the certificates, and sees to their reload.
#[async_trait]
pub trait TlsAcceptor: Send + Sync + 'static {
    /// Does the server's part of a handshake. An error closes the connection.
    async fn accept(&self, stream: Box<dyn Io>, entry: TlsEntry) -> io::Result<TlsSession>;
}
