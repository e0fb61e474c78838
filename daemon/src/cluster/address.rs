//! Addresses to join: what users write, and where that leads.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// One place to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAddress {
    /// The member that is expected there.
    pub node: Option<String>,
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

#[derive(Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("the address is empty")]
    Empty,
    #[error("invalid port {0:?}")]
    Port(String),
    #[error("missing ']' in {0:?}")]
    Bracket(String),
    #[error(
        "{0:?}: this agent asks no cloud provider for addresses; name hosts, or a DNS name that has them all"
    )]
    Provider(String),
    #[error("lookup {name}: {reason}")]
    Lookup { name: String, reason: String },
}

impl JoinAddress {
    /// Reads `host`, `host:port`, `[v6]:port`, `v6`, each optionally behind `node/`. Without a port it is
    /// `default_port`: the one that this agent uses itself.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.contains("provider=") {
            return Err(AddressError::Provider(text.to_owned()));
        }
        let (node, text) = match text.split_once('/') {
            Some((node, rest)) => (Some(node.to_owned()), rest),
            None => (None, text),
        };
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (host, port) = split_port(text)?;
        let port = match port {
            None => default_port,
            Some(port) => port.parse().map_err(|_| AddressError::Port(port.to_owned()))?,
        };
        let host = host.parse().map_or_else(|_| Host::Name(host.to_owned()), Host::Ip);
        Ok(Self { node, host, port })
    }

    /// Every address that the host has, in the order of the resolver.
    pub async fn resolve(&self) -> Result<Vec<SocketAddr>, AddressError> {
        let name = match &self.host {
            Host::Ip(ip) => return Ok(vec![SocketAddr::new(*ip, self.port)]),
            Host::Name(name) => name,
        };
        let failed = |reason: String| AddressError::Lookup { name: name.clone(), reason };
        let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
        let mut addresses: Vec<SocketAddr> = found.map_err(|error| failed(reason(&error)))?.collect();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(failed("no such host".to_owned()));
        }
        Ok(addresses)
    }
}

/// The resolver's error in the words that users know.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(": ").map_or(text.as_str(), |(_, cause)| cause);
    if text.contains("not known") { "no such host".to_owned() } else { text.to_lowercase() }
}

impl fmt::Display for JoinAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => write!(f, "{}", SocketAddr::new(*ip, self.port)),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| AddressError::Bracket(text.to_owned()))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(AddressError::Port(rest.to_owned())),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    Ok(match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, AddressError> {
        JoinAddress::parse(text, 8301).map(|address| address.to_string())
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1:8301"),
            ("10.0.0.1:9301", "10.0.0.1:9301"),
            ("::1", "[::1]:8301"),
            ("[::1]", "[::1]:8301"),
            ("[fe80::1]:7", "[fe80::1]:7"),
            ("node01.example.jp", "node01.example.jp:8301"),
            (" host:1 ", "host:1"),
            ("s1.dc1/10.0.0.1:8302", "10.0.0.1:8302"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(JoinAddress::parse("s1/h", 1).unwrap().node.as_deref(), Some("s1"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        assert_eq!(shown(""), Err(AddressError::Empty));
        assert_eq!(shown("host:http"), Err(AddressError::Port("http".into())));
        assert_eq!(shown("[::1"), Err(AddressError::Bracket("[::1".into())));
        assert!(shown("provider=aws tag_key=x").unwrap_err().to_string().contains("no cloud provider"));
    }

    #[tokio::test]
    async fn names_lead_to_addresses() {
        let found = JoinAddress::parse("localhost:99", 1).unwrap().resolve().await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 99));
        let unknown = JoinAddress::parse("no-such-host.invalid", 1).unwrap().resolve().await;
        assert!(unknown.unwrap_err().to_string().starts_with("lookup no-such-host.invalid: "));
    }
}
