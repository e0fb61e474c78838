//! Makes connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::error::DialError;
use super::target::{Encryption, Target};
use crate::first_byte;
use crate::io::{Io, tune};

/// Does handshakes. Holds the certificates, and sees to their reload.
#[async_trait]
pub trait TlsConnector: Send + Sync + 'static {
    /// Does the client's part of a handshake with `target`. The byte that announces TLS has been sent.
    async fn connect(&self, stream: Box<dyn Io>, target: &Target) -> io::Result<Box<dyn Io>>;
}

/// Connects to a server and says what the connection is for. `purpose` is nothing on an insecure connection, whose
/// purpose is given.
pub(super) async fn dial(
    target: &Target,
    purpose: Option<u8>,
    tls: Option<&Arc<dyn TlsConnector>>,
    within: Duration,
) -> Result<Box<dyn Io>, DialError> {
    let dialing = dial_unbounded(target, purpose, tls);
    timeout(within, dialing).await.unwrap_or(Err(DialError::Timeout(target.address)))
}

async fn dial_unbounded(
    target: &Target,
    purpose: Option<u8>,
    tls: Option<&Arc<dyn TlsConnector>>,
) -> Result<Box<dyn Io>, DialError> {
    let address = target.address;
    let connect = |error: io::Error| DialError::Connect { address, source: Arc::new(error) };
    let socket = TcpStream::connect(address).await.map_err(connect)?;
    tune(&socket).map_err(connect)?;
    let mut stream: Box<dyn Io> = Box::new(socket);
    let announced = match target.encryption {
        Encryption::Plain => None,
        Encryption::Tls => Some(first_byte::TLS),
        Encryption::Insecure => Some(first_byte::TLS_INSECURE),
    };
    if let Some(first) = announced {
        let tls = tls.ok_or(DialError::NoTls(address))?;
        stream.write_u8(first).await.map_err(connect)?;
        let failed = |error: io::Error| DialError::Tls { address, source: Arc::new(error) };
        stream = tls.connect(stream, target).await.map_err(failed)?;
    }
    if let Some(first) = purpose.filter(|_| target.encryption != Encryption::Insecure) {
        stream.write_u8(first).await.map_err(connect)?;
    }
    stream.flush().await.map_err(connect)?;
    Ok(stream)
}
