//! The agent's address as users write it.

use std::path::PathBuf;

use super::error::ConfigError;

/// How the bytes travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Http(Authority),
    Https(Authority),
    Unix(PathBuf),
}

/// Host, port and what comes before every path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name or address, without the brackets of IPv6.
    pub host: String,
    pub port: u16,
    /// Host and port as the user wrote them: the Host header.
    pub text: String,
    /// Empty, or a path without a slash at its end.
    pub prefix: String,
}

impl Address {
    /// `ssl` turns everything but a Unix socket into TLS.
    pub fn parse(text: &str, ssl: bool) -> Result<Self, ConfigError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        match scheme.to_ascii_lowercase().as_str() {
            "unix" => Ok(Self::Unix(rest.into())),
            "https" => Authority::parse(rest, 443).map(Self::Https),
            "http" if ssl => Authority::parse(rest, 443).map(Self::Https),
            "http" => Authority::parse(rest, 80).map(Self::Http),
            _ => Err(ConfigError::Scheme(scheme.to_owned())),
        }
    }

    /// What precedes the path in a URL. A socket's path is escaped into the place of the host.
    pub fn base(&self) -> String {
        match self {
            Self::Http(authority) => format!("http://{}{}", authority.text, authority.prefix),
            Self::Https(authority) => format!("https://{}{}", authority.text, authority.prefix),
            Self::Unix(path) => {
                let path = path.display().to_string();
                let escaped =
                    percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC);
                format!("http://{escaped}").replace("%2E", ".").replace("%2D", "-").replace("%5F", "_")
            }
        }
    }

    /// What the server is told to be called.
    pub fn host_header(&self) -> &str {
        match self {
            Self::Http(authority) | Self::Https(authority) => &authority.text,
            Self::Unix(_) => "localhost",
        }
    }

    pub fn prefix(&self) -> &str {
        match self {
            Self::Http(authority) | Self::Https(authority) => &authority.prefix,
            Self::Unix(_) => "",
        }
    }
}

impl Authority {
    fn parse(text: &str, default_port: u16) -> Result<Self, ConfigError> {
        let bad = || ConfigError::Address(text.to_owned());
        let (authority, prefix) = match text.find('/') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or_else(bad)?;
                let port =
                    if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or_else(bad)?) };
                (host, port)
            }
            None => match authority.rsplit_once(':') {
                Some((host, _)) if host.contains(':') => return Err(bad()),
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) if !port.is_empty() => port.parse().map_err(|_| bad())?,
            _ => default_port,
        };
        let clean = |part: &str| part.bytes().all(|byte| byte.is_ascii_graphic());
        if !clean(authority) || !clean(prefix) || prefix.contains(['?', '#']) {
            return Err(bad());
        }
        // An address such as ":8500" means this machine.
        let (host, text) = match host {
            "" => ("localhost".to_owned(), format!("localhost:{port}")),
            _ => (host.to_owned(), authority.to_owned()),
        };
        Ok(Self { host, port, text, prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, ssl: bool) -> (String, String, u16) {
        let address = Address::parse(text, ssl).unwrap();
        match &address {
            Address::Http(authority) | Address::Https(authority) => {
                (address.base(), authority.host.clone(), authority.port)
            }
            Address::Unix(_) => (address.base(), String::new(), 0),
        }
    }

    #[test]
    fn every_form_of_address_is_understood() {
        for (text, ssl, base, host, port) in [
            ("127.0.0.1:8500", false, "http://127.0.0.1:8500", "127.0.0.1", 8500),
            ("consul.local", false, "http://consul.local", "consul.local", 80),
            ("http://a:1/", false, "http://a:1", "a", 1),
            ("http://a:1/base/", false, "http://a:1/base", "a", 1),
            ("a:1", true, "https://a:1", "a", 1),
            ("http://a", true, "https://a", "a", 443),
            ("https://a:8501", false, "https://a:8501", "a", 8501),
            ("[::1]:8500", false, "http://[::1]:8500", "::1", 8500),
            ("[::1]", false, "http://[::1]", "::1", 80),
            (":8500", false, "http://localhost:8500", "localhost", 8500),
        ] {
            assert_eq!(parts(text, ssl), (base.to_owned(), host.to_owned(), port), "{text}");
        }
        assert_eq!(Address::parse("unix:///run/c.sock", true).unwrap(), Address::Unix("/run/c.sock".into()));
        assert_eq!(parts("unix:///run/c.sock", false).0, "http://%2Frun%2Fc.sock");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["tcp://a", "a:b", "a:99999", "::1", "[::1", "[::1]x", "a b:1", "a:1/?q"] {
            assert!(Address::parse(text, false).is_err(), "{text}");
        }
    }
}
