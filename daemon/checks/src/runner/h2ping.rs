//! H2PING checks: passing if the server answers an HTTP/2 PING frame.

use std::time::Duration;

use h2::Ping;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::dial::dial;
use crate::outcome::Outcome;
use crate::tls::{Alpn, TlsConfigs, TlsSettings, host_of};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct H2PingCheck {
    /// `host:port`
    pub target: String,
    pub tls: Option<TlsSettings>,
    pub timeout: Duration,
}

impl H2PingCheck {
    pub async fn run(&self, tls: &TlsConfigs) -> Outcome {
        match self.ping(tls).await {
            Ok(()) => Outcome::passing("HTTP2 ping was successful"),
            Err(text) => Outcome::critical(text),
        }
    }

    async fn ping(&self, tls: &TlsConfigs) -> Result<(), String> {
        let deadline = Instant::now() + self.timeout;
        let not_dialed = |error: String| format!("Failed to dial to {}: {error}", self.target);
        let stream = dial(&self.target, deadline).await.map_err(|error| not_dialed(error.to_string()))?;
        let Some(settings) = &self.tls else { return ping_over(stream, deadline).await };
        let handshake = tls.connect(settings, Alpn::H2, host_of(&self.target), stream, deadline);
        let stream = handshake.await.map_err(|error| not_dialed(error.to_string()))?;
        ping_over(stream, deadline).await
    }
}

async fn ping_over<S: AsyncRead + AsyncWrite + Unpin>(stream: S, deadline: Instant) -> Result<(), String> {
    let not_created = |reason: &str| format!("Failed to create client connection {reason}");
    let failed = |reason: &str| format!("HTTP2 ping failed: {reason}");
    let (_sender, mut connection) = timeout_at(deadline, h2::client::handshake(stream))
        .await
        .map_err(|_| not_created("context deadline exceeded"))?
        .map_err(|error| not_created(&error.to_string()))?;
    let mut pings = connection.ping_pong().ok_or_else(|| not_created("no ping handle"))?;
    let answered = timeout_at(deadline, async {
        tokio::select! {
            biased;
            answered = pings.ping(Ping::opaque()) => answered.map(drop).map_err(|error| error.to_string()),
            ended = &mut connection => match ended {
                Ok(()) => Err("http2: client connection lost".to_owned()),
                Err(error) => Err(error.to_string()),
            },
        }
    });
    match answered.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(failed(&reason)),
        Err(_) => Err(failed("context deadline exceeded")),
    }
}
