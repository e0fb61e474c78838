//! The agent's own certificate and the authorities it trusts, for checks that use them too.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use consul_checks::AgentTls;
use consul_config::TlsListener;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// No certificate file is nearly this large.
const FILE_MAX: u64 = 4 << 20;

/// Reads the files that `source` names.
pub fn load(source: &TlsListener) -> Result<AgentTls, String> {
    Ok(AgentTls { roots: roots(source)?, identity: identity(source)? })
}

/// The configured authorities; `None` if there are none, which leaves the system's.
fn roots(source: &TlsListener) -> Result<Option<Arc<RootCertStore>>, String> {
    let mut files = Vec::new();
    if let Some(directory) = &source.ca_path {
        let refused =
            |error: std::io::Error| format!("Error loading CA path: {}: {error}", directory.display());
        for entry in std::fs::read_dir(directory).map_err(refused)? {
            files.push(entry.map_err(refused)?.path());
        }
        files.sort();
    }
    files.extend(source.ca_file.clone());
    if files.is_empty() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    for file in files.iter().filter(|file| !file.is_dir()) {
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .map_err(|error| format!("Error loading CA: {}: {error}", file.display()))?;
        }
    }
    if roots.is_empty() {
        return Err("Error loading CA: no certificates found".to_owned());
    }
    Ok(Some(Arc::new(roots)))
}

type Identity = (Vec<CertificateDer<'static>>, Arc<rustls::pki_types::PrivateKeyDer<'static>>);

fn identity(source: &TlsListener) -> Result<Option<Identity>, String> {
    let (Some(certificate), Some(key)) = (&source.cert_file, &source.key_file) else { return Ok(None) };
    let chain = certificates(certificate)?;
    if chain.is_empty() {
        return Err(format!("Failed to load cert/key pair: {} holds no certificate", certificate.display()));
    }
    let private = rustls_pemfile::private_key(&mut open(key)?)
        .map_err(|error| format!("Failed to load cert/key pair: {}: {error}", key.display()))?
        .ok_or_else(|| format!("Failed to load cert/key pair: {} holds no private key", key.display()))?;
    Ok(Some((chain, Arc::new(private))))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    rustls_pemfile::certs(&mut open(file)?)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("failed to read {}: {error}", file.display()))
}

fn open(file: &Path) -> Result<BufReader<std::io::Take<File>>, String> {
    let opened = File::open(file).map_err(|error| {
        format!("failed to read {}: {}", file.display(), crate::listeners::os_text(&error))
    })?;
    Ok(BufReader::new(opened.take(FILE_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_files_the_system_is_trusted_and_nobody_is_impersonated() {
        let tls = load(&TlsListener::default()).unwrap();
        assert!(tls.roots.is_none() && tls.identity.is_none());
    }

    #[test]
    fn files_that_hold_no_certificate_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Some(file.path().to_owned());
        let empty = TlsListener { ca_file: path.clone(), ..TlsListener::default() };
        assert_eq!(load(&empty).unwrap_err(), "Error loading CA: no certificates found");
        let pair = TlsListener { cert_file: path.clone(), key_file: path, ..TlsListener::default() };
        assert!(load(&pair).unwrap_err().ends_with("holds no certificate"));
        let missing = TlsListener { ca_file: Some("/nonexistent/ca.pem".into()), ..TlsListener::default() };
        assert_eq!(
            load(&missing).unwrap_err(),
            "failed to read /nonexistent/ca.pem: no such file or directory"
        );
    }
}
