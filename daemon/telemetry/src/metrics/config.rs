//! The `telemetry` block, as far as it concerns metrics.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::filter::PrefixFilter;

/// How metrics are named and where they go. [`MetricsConfig::default`] is the agent's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The first part of every name.
    pub prefix: String,
    /// The host's name, which becomes the second part of gauge names when they leave the host.
    pub hostname: String,
    /// Never put the host's name into gauge names.
    pub disable_hostname: bool,
    /// Which metrics are reported.
    pub filter: PrefixFilter,
    /// How long a series is offered to Prometheus after its last change; zero for not at all.
    pub prometheus_retention: Duration,
    /// A statsd server, over UDP.
    pub statsd: Option<SinkAddress>,
    /// A statsite server, over TCP.
    pub statsite: Option<SinkAddress>,
    /// A DogStatsD server, over UDP.
    pub dogstatsd: Option<SinkAddress>,
    /// Tags on everything that goes to the DogStatsD server.
    pub dogstatsd_tags: Vec<String>,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            prefix: "consul".to_owned(),
            hostname: String::new(),
            disable_hostname: false,
            filter: PrefixFilter::default(),
            prometheus_retention: Duration::ZERO,
            statsd: None,
            statsite: None,
            dogstatsd: None,
            dogstatsd_tags: Vec::new(),
        }
    }
}

impl MetricsConfig {
    /// Whether anything but the agent's own memory gets metrics.
    pub(super) fn has_other_sinks(&self) -> bool {
        !self.prometheus_retention.is_zero() || self.has_push_sinks()
    }

    /// Looks whether each sink's name is known, and whether a connection can be made where there is one. Blocks.
    pub fn check_reachable(&self) -> Result<(), ConfigError> {
        for datagram in [&self.statsd, &self.dogstatsd].into_iter().flatten() {
            datagram.resolve()?;
        }
        let Some(statsite) = &self.statsite else { return Ok(()) };
        let failed = |error: std::io::Error| ConfigError::Unreachable(statsite.0.clone(), error.to_string());
        let mut last = None;
        for address in statsite.resolve()? {
            match TcpStream::connect_timeout(&address, CHECK_TIMEOUT) {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        last.map_or(Ok(()), |error| Err(failed(error)))
    }

    pub(super) fn has_push_sinks(&self) -> bool {
        self.statsd.is_some() || self.statsite.is_some() || self.dogstatsd.is_some()
    }
}

/// A sink's `host:port`. The host may be a name; it is looked up when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkAddress(String);

/// Why a sink cannot be used. The text ends the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No colon.
    #[error("failed to initialize telemetry: address {0}: missing port in address")]
    MissingPort(String),
    /// The port is not a number of 16 bits.
    #[error("failed to initialize telemetry: address {0}: invalid port")]
    InvalidPort(String),
    /// The sink cannot be reached, for the reason in the second text.
    #[error("failed to initialize telemetry: address {0}: {1}")]
    Unreachable(String, String),
}

/// How long the start may wait for a sink.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

impl SinkAddress {
    /// The addresses behind the name, at least one. Without a host it is this one.
    fn resolve(&self) -> Result<Vec<SocketAddr>, ConfigError> {
        let text = if self.0.starts_with(':') { format!("localhost{}", self.0) } else { self.0.clone() };
        let failed = |reason: String| ConfigError::Unreachable(self.0.clone(), reason);
        let found: Vec<_> = text.to_socket_addrs().map_err(|error| failed(error.to_string()))?.collect();
        if found.is_empty() { Err(failed("no such host".to_owned())) } else { Ok(found) }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for SinkAddress {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let is_bare_ipv6 = text.parse::<std::net::Ipv6Addr>().is_ok() || text.ends_with(']');
        let Some((_, port)) = text.rsplit_once(':').filter(|_| !is_bare_ipv6) else {
            return Err(ConfigError::MissingPort(text.to_owned()));
        };
        match port.parse::<u16>() {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(ConfigError::InvalidPort(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_that_takes_no_connection_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let config = MetricsConfig { statsite: address.parse().ok(), ..MetricsConfig::default() };
        assert_eq!(config.check_reachable(), Ok(()));
        drop(listener);
        let error = config.check_reachable().expect_err("nobody listens");
        assert!(
            error.to_string().starts_with(&format!("failed to initialize telemetry: address {address}: "))
        );
    }

    #[test]
    fn addresses_need_a_port() {
        for good in ["127.0.0.1:8125", "statsd.example:8125", "[::1]:8125", ":8125"] {
            assert!(good.parse::<SinkAddress>().is_ok(), "{good}");
        }
        let err = "foo".parse::<SinkAddress>().expect_err("no port");
        assert_eq!(err.to_string(), "failed to initialize telemetry: address foo: missing port in address");
        for bad in ["", "::1", "[::1]", "foo:", "foo:x", "foo:70000"] {
            assert!(bad.parse::<SinkAddress>().is_err(), "{bad}");
        }
    }
}
