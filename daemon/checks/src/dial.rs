//! Opening a TCP connection to what a check definition calls `host:port`.
//!
//! Apart from connecting, this is about saying why it failed: the texts end up as check output, where people and
//! their tools look for the forms that Go's `net` package made familiar.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

/// How long one address is tried alone before the next one joins the race.
const HEAD_START: Duration = Duration::from_millis(300);

/// Where Unix systems list service names and their ports.
const SERVICES_FILE: &str = "/etc/services";

/// Why no connection came about; displays the full text, starting with `dial`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DialError {
    #[error("dial {0}: address {1}: missing port in address")]
    MissingPort(Network, String),
    #[error("dial {0}: address {1}: too many colons in address")]
    TooManyColons(Network, String),
    #[error("dial {0}: address {1}: missing ']' in address")]
    MissingBracket(Network, String),
    #[error("dial {0}: address {1}: invalid port")]
    InvalidPort(Network, String),
    #[error("dial {0}: address {0}/{1}: unknown port")]
    UnknownPort(Network, String),
    #[error("dial {network}: lookup {host}: {reason}")]
    Lookup { network: Network, host: String, reason: String },
    #[error("dial {network} {address}: connect: {reason}")]
    Connect { network: Network, address: String, reason: String },
    #[error("dial {network} {address}: i/o timeout")]
    Timeout { network: Network, address: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Tcp,
    Udp,
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Host and port taken apart; the host may be empty, a name, or an address without brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPort<'a> {
    pub host: &'a str,
    pub port: &'a str,
}

impl<'a> HostPort<'a> {
    pub fn split(network: Network, text: &'a str) -> Result<Self, DialError> {
        let missing_port = || DialError::MissingPort(network, text.to_owned());
        let Some(rest) = text.strip_prefix('[') else {
            let (host, port) = text.rsplit_once(':').ok_or_else(missing_port)?;
            if host.contains(':') {
                return Err(DialError::TooManyColons(network, text.to_owned()));
            }
            return Ok(Self { host, port });
        };
        let (host, after) =
            rest.split_once(']').ok_or_else(|| DialError::MissingBracket(network, text.to_owned()))?;
        let port = after.strip_prefix(':').ok_or_else(missing_port)?;
        if port.contains(':') {
            return Err(DialError::TooManyColons(network, text.to_owned()));
        }
        Ok(Self { host, port })
    }

    /// All addresses it stands for, in the resolver's order.
    pub async fn resolve(&self, network: Network, deadline: Instant) -> Result<Vec<SocketAddr>, DialError> {
        let port = port_number(network, self.port).await?;
        if self.host.is_empty() {
            return Ok(vec![
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port),
            ]);
        }
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let failed = |reason: String| DialError::Lookup { network, host: self.host.to_owned(), reason };
        let found = timeout_at(deadline, tokio::net::lookup_host((self.host, port)))
            .await
            .map_err(|_| failed("i/o timeout".to_owned()))?
            .map_err(|error| failed(lookup_reason(&error)))?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            return Err(failed("no such host".to_owned()));
        }
        Ok(addresses)
    }

    /// How error texts name one of the addresses: an empty host stays empty.
    pub fn label(&self, address: SocketAddr) -> String {
        if self.host.is_empty() { format!(":{}", address.port()) } else { address.to_string() }
    }
}

/// Connects to the first address that answers: they are tried in order, each with a head start on the next.
pub async fn dial(target: &str, deadline: Instant) -> Result<TcpStream, DialError> {
    let network = Network::Tcp;
    let target = HostPort::split(network, target)?;
    let addresses = target.resolve(network, deadline).await?;
    let label = addresses.first().map(|first| target.label(*first)).unwrap_or_default();
    match timeout_at(deadline, race(addresses)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err((address, error))) => Err(DialError::Connect {
            network,
            address: address.map(|address| target.label(address)).unwrap_or(label),
            reason: errno_text(&error),
        }),
        Err(_) => Err(DialError::Timeout { network, address: label }),
    }
}

/// The error, if all fail, is that of the address tried first.
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, (Option<SocketAddr>, io::Error)> {
    let mut waiting = addresses.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut first_error: Option<(usize, SocketAddr, io::Error)> = None;
    let attempt = |(position, address): (usize, SocketAddr)| async move {
        (position, address, TcpStream::connect(address).await)
    };
    running.extend(waiting.next().map(attempt));
    loop {
        let more = waiting.len() > 0;
        let finished = tokio::select! {
            finished = running.next() => finished,
            () = sleep(HEAD_START), if more => {
                running.extend(waiting.next().map(attempt));
                continue;
            }
        };
        match finished {
            Some((_, _, Ok(stream))) => return Ok(stream),
            Some((position, address, Err(error))) => {
                if first_error.as_ref().is_none_or(|(earlier, ..)| position < *earlier) {
                    first_error = Some((position, address, error));
                }
                running.extend(waiting.next().map(attempt));
            }
            None => break,
        }
    }
    let unreachable = || (None, io::Error::from(io::ErrorKind::AddrNotAvailable));
    Err(first_error.map_or_else(unreachable, |(_, address, error)| (Some(address), error)))
}

async fn port_number(network: Network, text: &str) -> Result<u16, DialError> {
    if text.is_empty() {
        return Ok(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| DialError::InvalidPort(network, text.to_owned()));
    }
    let services = tokio::fs::read_to_string(SERVICES_FILE).await.unwrap_or_default();
    service_port(&services, network, text).ok_or_else(|| DialError::UnknownPort(network, text.to_owned()))
}

/// Port of a service name in the text of a services file: `name port/protocol alias...  # comment`.
fn service_port(services: &str, network: Network, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let official = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let named = official == name || words.any(|alias| alias == name);
        if !named || protocol != network.to_string() {
            return None;
        }
        port.parse().ok()
    })
}

fn lookup_reason(error: &io::Error) -> String {
    let text = error.to_string();
    let detail = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    if detail.contains("not known") || detail.contains("No address associated") {
        return "no such host".to_owned();
    }
    lower_first(detail)
}

/// The system's text for an error, as Go spells it: lower case, without the number.
pub fn errno_text(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match error.raw_os_error() {
        Some(code) => text.strip_suffix(&format!(" (os error {code})")).unwrap_or(&text),
        None => &text,
    };
    lower_first(text)
}

/// Lower-cases a first letter unless it starts an abbreviation.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
            first.to_ascii_lowercase().to_string() + text.get(1..).unwrap_or_default()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn dial_error(target: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(5);
        dial(target, deadline).await.map(|_| ()).expect_err(target).to_string()
    }

    #[tokio::test]
    async fn malformed_addresses_are_told_apart() {
        for (target, text) in [
            ("127.0.0.1", "dial tcp: address 127.0.0.1: missing port in address"),
            ("[::1]", "dial tcp: address [::1]: missing port in address"),
            ("::1", "dial tcp: address ::1: too many colons in address"),
            ("[::1", "dial tcp: address [::1: missing ']' in address"),
            ("127.0.0.1:99999", "dial tcp: address 99999: invalid port"),
            ("127.0.0.1:abc", "dial tcp: address tcp/abc: unknown port"),
            ("", "dial tcp: address : missing port in address"),
        ] {
            assert_eq!(dial_error(target).await, text);
        }
    }

    #[tokio::test]
    async fn refused_connections_name_the_address() {
        assert_eq!(dial_error("127.0.0.1:1").await, "dial tcp 127.0.0.1:1: connect: connection refused");
        assert_eq!(dial_error(":1").await, "dial tcp :1: connect: connection refused");
    }

    #[tokio::test]
    async fn unknown_host_is_a_lookup_error() {
        let text = dial_error("a b:1").await;
        assert_eq!(text, "dial tcp: lookup a b: no such host");
    }

    #[tokio::test]
    async fn a_later_address_is_tried_when_the_first_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let stream = race(vec![closed, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
    }

    #[test]
    fn service_names_are_looked_up_by_protocol_and_alias() {
        let file = "# comment\nhttp 80/tcp www # web\ndomain 53/udp\ndomain 53/tcp\nbroken\n";
        assert_eq!(service_port(file, Network::Tcp, "www"), Some(80));
        assert_eq!(service_port(file, Network::Udp, "domain"), Some(53));
        assert_eq!(service_port(file, Network::Udp, "http"), None);
        assert_eq!(service_port(file, Network::Tcp, "broken"), None);
    }
}
