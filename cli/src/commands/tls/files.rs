//! Reading and writing PEM files: never over an existing one, keys for the owner only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{Issuer, KeyPair};

use super::keys;
use crate::failure::Failure;
use crate::input;

/// Who may read a file.
#[derive(Clone, Copy)]
pub enum Readers {
    Owner,
    Everybody,
}

/// Writes a new file.
pub fn create(path: &str, pem: &str, readers: Readers) -> Result<(), Failure> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::new(input::describe("open", Path::new(path), &error)))
}

/// Replaces a certificate in one step.
pub fn replace(path: &str, pem: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(input::describe("open", Path::new(path), &error));
    let folder =
        Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(pem.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map(drop).map_err(|error| failed(error.error))
}

/// The authority that signs, from its two files.
pub fn authority(certificate: &str, key: &str) -> Result<Issuer<'static, KeyPair>, Failure> {
    let pem = input::read_file(Path::new(certificate))
        .and_then(input::into_text)
        .map_err(Failure::of("Error reading CA: "))?;
    let key_pem = input::read_file(Path::new(key))
        .and_then(input::into_text)
        .map_err(Failure::of("Error reading CA key: "))?;
    let key = keys::from_pem(&key_pem).map_err(Failure::of("Error reading CA key: "))?;
    Issuer::from_ca_cert_pem(&pem, key).map_err(Failure::of("Error reading CA: "))
}
