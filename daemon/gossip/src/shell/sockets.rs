//! Packets and streams on one port.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use tokio::net::{TcpListener, UdpSocket};

/// Packets that may wait for room in the socket's buffer. More are lost, as packets are.
const BACKLOG_MAX: usize = 1024;

/// Where a member listens.
#[derive(Debug)]
pub struct Sockets {
    pub(super) packets: UdpSocket,
    pub(super) streams: TcpListener,
    local: SocketAddr,
    backlog: VecDeque<(SocketAddr, Bytes)>,
}

impl Sockets {
    /// Listens for packets and streams. Port 0: one that is free for both.
    pub async fn bind(addr: SocketAddr) -> io::Result<Self> {
        const ATTEMPTS: usize = 16;
        let mut attempt = 1;
        loop {
            let streams = TcpListener::bind(addr).await?;
            let local = streams.local_addr()?;
            match UdpSocket::bind(local).await {
                Ok(packets) => return Ok(Self { packets, streams, local, backlog: VecDeque::new() }),
                // Somebody else has the port for packets only.
                Err(_) if addr.port() == 0 && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends a packet, now or when there is room.
    pub(super) fn send(&mut self, to: SocketAddr, bytes: Bytes) -> io::Result<()> {
        if self.backlog.is_empty() {
            match self.packets.try_send_to(&bytes, self.reachable(to)) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if self.backlog.len() < BACKLOG_MAX {
            self.backlog.push_back((to, bytes));
        }
        Ok(())
    }

    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends what waits. Errors are those of single packets, which are lost.
    pub(super) fn send_backlog(&mut self) {
        while let Some((to, bytes)) = self.backlog.front() {
            match self.packets.try_send_to(bytes, self.reachable(*to)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => self.backlog.pop_front(),
            };
        }
    }

    /// A socket of IPv6 reaches IPv4 only in disguise.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match (self.local.ip(), to.ip()) {
            (IpAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }
}

/// Takes the disguise off again.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
