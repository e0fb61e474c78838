//! TCP checks: passing if a connection (and the TLS handshake, if asked for) comes about.

use std::time::Duration;

use tokio::time::Instant;

use crate::dial::dial;
use crate::outcome::{Outcome, Trouble};
use crate::tls::{Alpn, TlsConfigs, TlsSettings, host_of};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpCheck {
    /// `host:port`; an empty host is this machine.
    pub target: String,
    pub tls: Option<TlsSettings>,
    pub timeout: Duration,
}

impl TcpCheck {
    pub async fn run(&self, tls: &TlsConfigs) -> Outcome {
        match self.connect(tls).await {
            Ok(()) => Outcome::passing(format!("TCP connect {}: Success", self.target)),
            Err(text) => Outcome::critical(text).because(Trouble::ConnectionFailed),
        }
    }

    async fn connect(&self, tls: &TlsConfigs) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let stream = dial(&self.target, deadline).await.map_err(|error| error.to_string())?;
        let Some(settings) = &self.tls else { return Ok(()) };
        let handshake = tls.connect(settings, Alpn::None, host_of(&self.target), stream, deadline);
        handshake.await.map(drop).map_err(|error| error.to_string())
    }
}
