//! A UDP socket that replies from the address it was asked at.
//!
//! A socket bound to no particular address sends from whichever one the route prefers. On a host with several, that
//! may not be the one the client asked, and clients drop such replies. So for these sockets the kernel is asked to
//! tell the destination of every packet, and told the source of every reply. Sockets bound to one address take the
//! cheaper plain calls.

use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

/// Where a packet came from, and at which of our addresses it arrived if that is not plain from the socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub addr: SocketAddr,
    at: platform::Arrival,
}

pub(super) struct Endpoint {
    socket: UdpSocket,
    wildcard: bool,
}

impl Endpoint {
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let wildcard = socket.local_addr()?.ip().is_unspecified();
        if wildcard {
            platform::ask_for_arrivals(&socket)?;
        }
        Ok(Self { socket, wildcard })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes a packet if there is one, else fails with `WouldBlock`.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        if self.wildcard {
            return platform::receive(&self.socket, buffer);
        }
        let (len, addr) = self.socket.try_recv_from(buffer)?;
        Ok((len, Peer { addr, at: platform::Arrival::default() }))
    }

    pub async fn send(&self, reply: &[u8], peer: Peer) -> io::Result<()> {
        loop {
            let sent = if self.wildcard {
                platform::send(&self.socket, reply, peer)
            } else {
                self.socket.try_send_to(reply, peer.addr).map(|_| ())
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.writable().await?,
                sent => return sent,
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use nix::libc::{in_pktinfo, in6_pktinfo};
    use nix::sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
    };
    use tokio::io::Interest;
    use tokio::net::UdpSocket;

    use super::Peer;

    #[derive(Clone, Copy, Debug, Default)]
    pub enum Arrival {
        #[default]
        Unknown,
        V4(in_pktinfo),
        V6(in6_pktinfo),
    }

    pub fn ask_for_arrivals(socket: &UdpSocket) -> io::Result<()> {
        if socket.local_addr()?.is_ipv4() {
            setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        Ok(())
    }

    pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        socket.try_io(Interest::READABLE, || {
            let mut control = nix::cmsg_space!(in6_pktinfo);
            let mut slices = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
            let from = message.address.as_ref().and_then(address);
            let addr = from.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            let at = message.cmsgs()?.find_map(arrival).unwrap_or_default();
            Ok((message.bytes, Peer { addr, at }))
        })
    }

    fn arrival(control: ControlMessageOwned) -> Option<Arrival> {
        match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Arrival::V4(info)),
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Arrival::V6(info)),
            _ => None,
        }
    }

    fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
        if let Some(v4) = storage.as_sockaddr_in() {
            return Some(SocketAddrV4::from(*v4).into());
        }
        storage.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into())
    }

    pub fn send(socket: &UdpSocket, reply: &[u8], peer: Peer) -> io::Result<()> {
        socket.try_io(Interest::WRITABLE, || {
            let (v4, v6);
            let control = match peer.at {
                Arrival::Unknown => None,
                // Only the source address is fixed: by which interface the reply leaves is the route's business.
                Arrival::V4(info) => {
                    v4 = in_pktinfo { ipi_ifindex: 0, ..info };
                    Some(ControlMessage::Ipv4PacketInfo(&v4))
                }
                Arrival::V6(info) => {
                    // A link-local address means nothing without its interface.
                    let link_local =
                        info.ipi6_addr.s6_addr[0] == 0xfe && info.ipi6_addr.s6_addr[1] & 0xc0 == 0x80;
                    let index = if link_local { info.ipi6_ifindex } else { 0 };
                    v6 = in6_pktinfo { ipi6_ifindex: index, ..info };
                    Some(ControlMessage::Ipv6PacketInfo(&v6))
                }
            };
            let to = SockaddrStorage::from(peer.addr);
            let flags = MsgFlags::MSG_DONTWAIT;
            sendmsg(socket.as_raw_fd(), &[IoSlice::new(reply)], control.as_slice(), flags, Some(&to))?;
            Ok(())
        })
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;

    use tokio::net::UdpSocket;

    use super::Peer;

    #[derive(Clone, Copy, Debug, Default)]
    pub struct Arrival;

    pub fn ask_for_arrivals(_socket: &UdpSocket) -> io::Result<()> {
        Ok(())
    }

    pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Peer)> {
        let (len, addr) = socket.try_recv_from(buffer)?;
        Ok((len, Peer { addr, at: Arrival }))
    }

    pub fn send(socket: &UdpSocket, reply: &[u8], peer: Peer) -> io::Result<()> {
        socket.try_send_to(reply, peer.addr).map(|_| ())
    }
}
