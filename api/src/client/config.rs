//! Where the agent is and how to talk to it: from `CONSUL_*` variables, then from what the caller overrides.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::address::Address;
use super::error::ConfigError;
use super::secret::Secret;

/// Where an agent listens unless configured otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8500";

/// Settings of a client. Empty strings never count as set.
#[derive(Clone, Debug)]
pub struct Config {
    /// `host:port`, `http://…`, `https://…` (both with an optional path prefix) or `unix:///path`.
    pub address: String,
    pub token: Option<Secret>,
    /// Beats `token` if set: the whole file, without surrounding white space.
    pub token_file: Option<PathBuf>,
    /// Basic authentication: user, password.
    pub http_auth: Option<(String, Secret)>,
    /// Use TLS although the address does not say so.
    pub ssl: bool,
    /// False accepts any server certificate.
    pub ssl_verify: bool,
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// Name to ask for and to verify instead of the address's host.
    pub tls_server_name: Option<String>,
    /// Sent with every request; a community server answers that it has no namespaces.
    pub namespace: Option<String>,
    pub partition: Option<String>,
    pub connect_timeout: Duration,
    pub connections: Connections,
    /// Limit of a request that does not block; none by default.
    pub timeout: Option<Duration>,
    /// Answers larger than this are refused.
    pub response_bytes_max: usize,
    /// Variables that were not understood, as lines for the user.
    pub warnings: Vec<String>,
}

/// How connections are kept for further requests.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    /// Time without traffic after which the system asks the peer whether it is still there; none: it does not.
    pub keep_alive: Option<Duration>,
    /// Connections that may wait for a further request; 0 closes each after its answer.
    pub idle_max: usize,
    /// How long one may wait.
    pub idle_timeout: Duration,
    /// Time for the TLS handshake, beside `connect_timeout`.
    pub tls_handshake_timeout: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            keep_alive: None,
            idle_max: usize::MAX,
            idle_timeout: Duration::from_secs(60),
            tls_handshake_timeout: Duration::ZERO,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: DEFAULT_ADDRESS.to_owned(),
            token: None,
            token_file: None,
            http_auth: None,
            ssl: false,
            ssl_verify: true,
            ca_file: None,
            ca_path: None,
            client_cert: None,
            client_key: None,
            tls_server_name: None,
            namespace: None,
            partition: None,
            connect_timeout: Duration::from_secs(10),
            connections: Connections::default(),
            timeout: None,
            response_bytes_max: 512 << 20,
            warnings: Vec::new(),
        }
    }
}

impl Config {
    /// A client of the agent at `address`, other settings being the defaults.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), ..Self::default() }
    }

    pub fn from_env() -> Self {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// [`Self::from_env`] with any source of variables.
    pub fn from_vars(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let path = |name: &str| var(name).map(PathBuf::from);
        let mut config = Self::default();
        if let Some(address) = var("CONSUL_HTTP_ADDR") {
            config.address = address;
        }
        config.token = var("CONSUL_HTTP_TOKEN").map(Secret::new);
        config.token_file = path("CONSUL_HTTP_TOKEN_FILE");
        config.http_auth = var("CONSUL_HTTP_AUTH").map(|auth| match auth.split_once(':') {
            Some((user, password)) => (user.to_owned(), password.into()),
            None => (auth, "".into()),
        });
        for (name, setting) in
            [("CONSUL_HTTP_SSL", &mut config.ssl), ("CONSUL_HTTP_SSL_VERIFY", &mut config.ssl_verify)]
        {
            let Some(text) = var(name) else { continue };
            match parse_bool(&text) {
                Some(value) => *setting = value,
                None => config.warnings.push(format!(
                    "could not parse {name}: error=\"strconv.ParseBool: parsing {text:?}: invalid syntax\""
                )),
            }
        }
        config.ca_file = path("CONSUL_CACERT");
        config.ca_path = path("CONSUL_CAPATH");
        config.client_cert = path("CONSUL_CLIENT_CERT");
        config.client_key = path("CONSUL_CLIENT_KEY");
        config.tls_server_name = var("CONSUL_TLS_SERVER_NAME");
        config.namespace = var("CONSUL_NAMESPACE");
        config.partition = var("CONSUL_PARTITION");
        config
    }

    /// Reads what the settings name. No socket is opened and no system certificate loaded.
    pub(super) fn resolve(&self) -> Result<Resolved, ConfigError> {
        let address = Address::parse(&self.address, self.ssl)?;
        let token = match &self.token_file {
            Some(path) => {
                let text = read(path).map_err(ConfigError::TokenFile)?;
                Some(Secret::new(String::from_utf8_lossy(&text).trim()))
            }
            None => self.token.clone(),
        };
        Ok(Resolved {
            address,
            token: token.filter(|token| !token.is_empty()),
            ca: self.ca()?,
            identity: self.identity()?,
        })
    }

    fn ca(&self) -> Result<Vec<Vec<u8>>, ConfigError> {
        if let Some(file) = &self.ca_file {
            return Ok(vec![read(file).map_err(ConfigError::CaFile)?]);
        }
        let Some(dir) = &self.ca_path else { return Ok(Vec::new()) };
        let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(|error| ConfigError::CaPath(FileError::new(dir, error)))?;
        files.sort();
        files.retain(|file| file.is_file());
        files.iter().map(|file| read(file).map_err(ConfigError::CaPath)).collect()
    }

    /// Certificate and key in one PEM text.
    fn identity(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => {
                let mut pem = read(cert).map_err(ConfigError::ClientCert)?;
                pem.push(b'\n');
                pem.extend(read(key).map_err(ConfigError::ClientCert)?);
                Ok(Some(pem))
            }
            (None, None) => Ok(None),
            _ => Err(ConfigError::HalfIdentity),
        }
    }
}

/// What a client works with.
pub(super) struct Resolved {
    pub address: Address,
    pub token: Option<Secret>,
    /// PEM texts; empty for the system's certificates.
    pub ca: Vec<Vec<u8>>,
    pub identity: Option<Vec<u8>>,
}

/// A file that could not be read, in the words of Go's `open`.
#[derive(Debug, thiserror::Error)]
#[error("open {path}: {}", super::error::os_words(.source))]
pub struct FileError {
    path: String,
    source: std::io::Error,
}

impl FileError {
    fn new(path: &Path, source: std::io::Error) -> Self {
        Self { path: path.display().to_string(), source }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|error| FileError::new(path, error))
}

/// The spellings that Go's `strconv.ParseBool` takes.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Config {
        Config::from_vars(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_are_read_and_empty_ones_are_not() {
        let config = config(&[
            ("CONSUL_HTTP_ADDR", ""),
            ("CONSUL_HTTP_TOKEN", "secret"),
            ("CONSUL_HTTP_AUTH", "user"),
            ("CONSUL_HTTP_SSL", "true"),
            ("CONSUL_HTTP_SSL_VERIFY", "maybe"),
            ("CONSUL_NAMESPACE", "team"),
        ]);
        assert_eq!(config.address, DEFAULT_ADDRESS);
        assert_eq!(config.token, Some("secret".into()));
        assert_eq!(config.http_auth, Some(("user".to_owned(), "".into())));
        assert!(config.ssl && config.ssl_verify);
        assert_eq!(config.namespace.as_deref(), Some("team"));
        assert_eq!(
            config.warnings,
            [
                "could not parse CONSUL_HTTP_SSL_VERIFY: error=\"strconv.ParseBool: parsing \"maybe\": invalid syntax\""
            ]
        );
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let config = config(&[("CONSUL_HTTP_TOKEN", "hush"), ("CONSUL_HTTP_AUTH", "user:hush")]);
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn a_token_file_beats_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, " from-file \n").unwrap();
        let config = Config { token: Some("flag".into()), token_file: Some(file), ..Config::default() };
        assert_eq!(config.resolve().unwrap().token, Some("from-file".into()));
    }

    #[test]
    fn missing_files_are_named_as_users_know_it() {
        let refusal = |config: Config| config.resolve().err().unwrap().to_string();
        let token = Config { token_file: Some("/no/such".into()), ..Config::default() };
        assert_eq!(refusal(token), "Error loading token file: open /no/such: no such file or directory");
        let ca = Config { ca_file: Some("/no/such".into()), ..Config::default() };
        assert_eq!(refusal(ca), "Error loading CA File: open /no/such: no such file or directory");
        let half = Config { client_cert: Some("/no/such".into()), ..Config::default() };
        assert_eq!(refusal(half), "both client cert and client key must be provided");
        assert_eq!(refusal(Config::new("tcp://1.2.3.4")), "Unknown protocol scheme: tcp");
    }
}
