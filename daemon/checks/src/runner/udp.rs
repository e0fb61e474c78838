//! UDP checks: an empty datagram is sent; an answer, or silence until the timeout, passes.
//!
//! Silence has to pass because most UDP services do not answer what they do not understand. What fails is a refusal
//! that the network reports.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::dial::{HostPort, Network, errno_text};
use crate::outcome::{Outcome, Trouble};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpCheck {
    /// `host:port`
    pub target: String,
    pub timeout: Duration,
}

impl UdpCheck {
    pub async fn run(&self) -> Outcome {
        match self.probe().await {
            Ok(()) => Outcome::passing(format!("UDP connect {}: Success", self.target)),
            Err(text) => Outcome::critical(text).because(Trouble::ConnectionFailed),
        }
    }

    async fn probe(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let target = HostPort::split(Network::Udp, &self.target).map_err(|error| error.to_string())?;
        let addresses = target.resolve(Network::Udp, deadline).await.map_err(|error| error.to_string())?;
        let Some(&address) = addresses.first() else { return Err(format!("no address for {}", self.target)) };
        let local: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let dial_error =
            |error| format!("dial udp {}: connect: {}", target.label(address), errno_text(&error));
        let socket = UdpSocket::bind(local).await.map_err(dial_error)?;
        socket.connect(address).await.map_err(dial_error)?;
        let local = socket.local_addr().map_or_else(|_| String::new(), |local| local.to_string());
        let failed = |verb, error| format!("{verb} udp {local}->{address}: {verb}: {}", errno_text(&error));
        socket.send(&[]).await.map_err(|error| failed("write", error))?;
        let mut first_byte = [0; 1];
        match timeout_at(deadline, socket.recv(&mut first_byte)).await {
            Ok(Err(error)) => Err(failed("read", error)),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}
