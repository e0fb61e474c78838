//! TLS of the three doors that can have it. Files are named here and opened at start.

use crate::section::Section;
use std::path::PathBuf;

/// Least protocol version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    V1_0,
    V1_1,
    #[default]
    V1_2,
    V1_3,
}

impl TlsVersion {
    /// Reads the present names (`TLSv1_2`) and the old ones (`tls12`).
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tlsv1_0" | "tls10" => Some(Self::V1_0),
            "tlsv1_1" | "tls11" => Some(Self::V1_1),
            "tlsv1_2" | "tls12" | "tls_auto" => Some(Self::V1_2),
            "tlsv1_3" | "tls13" => Some(Self::V1_3),
            _ => None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "TLSv1_0",
            Self::V1_1 => "TLSv1_1",
            Self::V1_2 => "TLSv1_2",
            Self::V1_3 => "TLSv1_3",
        }
    }
}

/// Settings of one door, its gaps filled from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsListener {
    pub ca_file: Option<PathBuf>,
    pub ca_path: Option<PathBuf>,
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub min_version: TlsVersion,
    /// Go's names; empty for the library's own choice.
    pub cipher_suites: Vec<String>,
    /// Ask clients for a certificate.
    pub verify_incoming: bool,
    /// Check servers' certificates.
    pub verify_outgoing: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    pub internal_rpc: TlsListener,
    pub https: TlsListener,
    pub grpc: TlsListener,
    /// A server's certificate must name `server.<datacenter>.<domain>`.
    pub verify_server_hostname: bool,
    /// gRPC uses the certificate that auto-encrypt or auto-config obtained.
    pub grpc_use_auto_cert: bool,
    /// Name to expect in certificates in place of the node's.
    pub server_name: String,
}

/// Cipher suites by the names Go gives them.
const CIPHER_SUITES: &[&str] = &[
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

impl TlsConfig {
    pub(super) fn read(root: &Section<'_>) -> Self {
        let tls = root.block("tls");
        let defaults = TlsListener::read(&tls.block("defaults"), &TlsListener::default());
        let (rpc, https, grpc) = (tls.block("internal_rpc"), tls.block("https"), tls.block("grpc"));
        if grpc.flag("verify_outgoing").is_some() {
            grpc.report("verify_outgoing", "verify_outgoing is not valid in the tls.grpc stanza");
        }
        for section in [&tls.block("defaults"), &https, &grpc] {
            if section.flag("verify_server_hostname").is_some() {
                let message = "verify_server_hostname is only valid in the tls.internal_rpc stanza";
                section.report("verify_server_hostname", message);
            }
        }
        for section in [&tls.block("defaults"), &https, &rpc] {
            if section.flag("use_auto_cert").is_some() {
                section.report("use_auto_cert", "use_auto_cert is only valid in the tls.grpc stanza");
            }
        }
        let verify_server_hostname = rpc.flag("verify_server_hostname").unwrap_or(false);
        let mut internal_rpc = TlsListener::read(&rpc, &defaults);
        internal_rpc.verify_outgoing |= verify_server_hostname;
        Self {
            internal_rpc,
            https: TlsListener::read(&https, &defaults),
            grpc: TlsListener { verify_outgoing: false, ..TlsListener::read(&grpc, &defaults) },
            verify_server_hostname,
            grpc_use_auto_cert: grpc.flag("use_auto_cert").unwrap_or(false),
            server_name: root.text_or_empty("server_name"),
        }
    }
}

impl TlsListener {
    fn read(section: &Section<'_>, defaults: &Self) -> Self {
        let file = |key, default: &Option<PathBuf>| match section.text(key) {
            Some(path) => Some(path).filter(|path| !path.is_empty()).map(PathBuf::from),
            None => default.clone(),
        };
        Self {
            ca_file: file("ca_file", &defaults.ca_file),
            ca_path: file("ca_path", &defaults.ca_path),
            cert_file: file("cert_file", &defaults.cert_file),
            key_file: file("key_file", &defaults.key_file),
            min_version: min_version(section).unwrap_or(defaults.min_version),
            cipher_suites: cipher_suites(section).unwrap_or_else(|| defaults.cipher_suites.clone()),
            verify_incoming: section.flag("verify_incoming").unwrap_or(defaults.verify_incoming),
            verify_outgoing: section.flag("verify_outgoing").unwrap_or(defaults.verify_outgoing),
        }
    }
}

fn min_version(section: &Section<'_>) -> Option<TlsVersion> {
    let text = section.text("tls_min_version").filter(|text| !text.is_empty())?;
    let version = TlsVersion::parse(&text);
    if version.is_none() {
        let message = format!("invalid TLS version {text:?}: use TLSv1_0, TLSv1_1, TLSv1_2 or TLSv1_3");
        section.fail("tls_min_version", message);
    }
    version
}

fn cipher_suites(section: &Section<'_>) -> Option<Vec<String>> {
    let text = section.text("tls_cipher_suites").filter(|text| !text.trim().is_empty())?;
    let mut suites = Vec::new();
    for name in text.split(',').map(str::trim) {
        if !CIPHER_SUITES.contains(&name) {
            let message =
                format!("tls_cipher_suites: invalid tls cipher suites: unsupported cipher {name:?}");
            section.fail_in_words("tls_cipher_suites", message);
            return None;
        }
        suites.push(name.to_owned());
    }
    Some(suites)
}
