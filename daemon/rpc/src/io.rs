//! What a connection may run over.

use std::io;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection, encrypted or not.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// How long a connection is silent before the system asks whether the other side still exists.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_PROBES: u32 = 4;

/// Sets what every connection of this protocol wants: small messages leave at once, dead peers are found.
pub(crate) fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    #[cfg(target_os = "linux")]
    {
        let seconds = u32::try_from(KEEPALIVE_IDLE.as_secs()).unwrap_or(u32::MAX);
        setsockopt(socket, sockopt::TcpKeepIdle, &seconds)?;
        setsockopt(socket, sockopt::TcpKeepInterval, &seconds)?;
        setsockopt(socket, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)?;
    }
    Ok(())
}
