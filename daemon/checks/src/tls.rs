//! TLS for checks that connect to something: which certificates are trusted, and how a refusal is worded.
//!
//! All checks with the same needs share one client configuration, because a root store is large and an agent may run
//! thousands of checks.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::errno_text;

/// What one check asks of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    pub verify: Verify,
    /// Name to send and to verify instead of the target's host.
    pub server_name: Option<String>,
}

/// Whether the server has to prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Verify {
    #[default]
    Chain,
    Nothing,
}

/// Application protocol to negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    None,
    Http1,
    H2,
}

/// The agent's own TLS material, for agents that use it for checks too.
#[derive(Clone)]
pub struct AgentTls {
    /// None: the system's certificate authorities.
    pub roots: Option<Arc<RootCertStore>>,
    /// Certificate chain and key shown to servers that ask.
    pub identity: Option<(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>)>,
}

impl fmt::Debug for AgentTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTls").field("has_identity", &self.identity.is_some()).finish_non_exhaustive()
    }
}

/// Why no TLS connection came about; displays the text for the check's output.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("tls: invalid server name {0:?}")]
    ServerName(String),
    #[error("tls: {0}")]
    Identity(rustls::Error),
    #[error("{}", handshake_text(.0, .1))]
    Handshake(io::Error, String),
    #[error("context deadline exceeded")]
    Timeout,
}

/// Client configurations, each built when it is first needed.
#[derive(Debug, Default)]
pub struct TlsConfigs {
    agent: Option<AgentTls>,
    built: Mutex<HashMap<(Verify, Alpn), Arc<ClientConfig>>>,
}

impl TlsConfigs {
    /// With `agent`, checks trust what the agent trusts and show its certificate.
    pub fn new(agent: Option<AgentTls>) -> Self {
        Self { agent, built: Mutex::default() }
    }

    /// Handshakes over `stream`, which is connected to `host`.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        settings: &TlsSettings,
        alpn: Alpn,
        host: &str,
        stream: S,
        deadline: Instant,
    ) -> Result<TlsStream<S>, TlsError> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let server_name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))?;
        let connector = TlsConnector::from(self.config(settings.verify, alpn)?);
        timeout_at(deadline, connector.connect(server_name, stream))
            .await
            .map_err(|_| TlsError::Timeout)?
            .map_err(|error| TlsError::Handshake(error, name.to_owned()))
    }

    fn config(&self, verify: Verify, alpn: Alpn) -> Result<Arc<ClientConfig>, TlsError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = built.get(&(verify, alpn)) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.build(verify, alpn)?);
        built.insert((verify, alpn), Arc::clone(&config));
        Ok(config)
    }

    fn build(&self, verify: Verify, alpn: Alpn) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Identity)?;
        let builder = match verify {
            Verify::Chain => builder.with_root_certificates(self.roots()),
            Verify::Nothing => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
            }
        };
        let mut config = match self.agent.as_ref().and_then(|agent| agent.identity.as_ref()) {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(TlsError::Identity)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = match alpn {
            Alpn::None => Vec::new(),
            Alpn::Http1 => vec![b"http/1.1".to_vec()],
            Alpn::H2 => vec![b"h2".to_vec()],
        };
        Ok(config)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        if let Some(roots) = self.agent.as_ref().and_then(|agent| agent.roots.as_ref()) {
            return Arc::clone(roots);
        }
        let mut store = RootCertStore::empty();
        // Unreadable system certificates only mean that fewer servers are trusted: the handshake will tell.
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    }
}

/// The host part of `host:port`, brackets removed.
pub fn host_of(target: &str) -> &str {
    let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { "localhost" } else { host }
}

/// Words the refusal as Go's `crypto/tls` and `crypto/x509` do.
fn handshake_text(error: &io::Error, name: &str) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "EOF".to_owned(),
            _ => errno_text(error),
        };
    };
    match inner {
        rustls::Error::InvalidCertificate(reason) => certificate_text(reason, name),
        rustls::Error::InvalidMessage(_) => "tls: first record does not look like a TLS handshake".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("remote error: tls: {alert:?}"),
        other => match other.source() {
            Some(source) => format!("tls: {other}: {source}"),
            None => format!("tls: {other}"),
        },
    }
}

fn certificate_text(reason: &CertificateError, name: &str) -> String {
    match reason {
        CertificateError::UnknownIssuer => "x509: certificate signed by unknown authority".to_owned(),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "x509: certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::NotValidForName => format!("x509: certificate is not valid for {name}"),
        CertificateError::NotValidForNameContext { presented, .. } => name_mismatch_text(presented, name),
        other => format!("x509: {other}"),
    }
}

fn name_mismatch_text(presented: &[String], name: &str) -> String {
    let names: Vec<&str> = presented.iter().map(|entry| bare_name(entry)).collect();
    if name.parse::<std::net::IpAddr>().is_ok()
        && !presented.iter().any(|entry| entry.starts_with("IpAddress("))
    {
        return format!(
            "x509: cannot validate certificate for {name} because it doesn't contain any IP SANs"
        );
    }
    if names.is_empty() {
        return format!("x509: certificate is not valid for any names, but wanted to match {name}");
    }
    format!("x509: certificate is valid for {}, not {name}", names.join(", "))
}

/// The name inside rustls's description of a certificate name, such as `DnsName("foo")`.
fn bare_name(entry: &str) -> &str {
    let inner = entry.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(entry);
    inner.trim_matches('"')
}

/// Accepts whatever certificate comes; signatures are still checked, so the peer owns the key it shows.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
