//! What a service manager sees of us: a file with our process id, and word that we are ready.

use std::fs;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;

use crate::words::reason;

/// A file that holds our process id as long as this lives.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    pub fn create(path: PathBuf) -> Result<Self, String> {
        tracing::debug!(target: "runner", "creating pid file at {:?}", path.display().to_string());
        let failed = |error: std::io::Error| {
            format!("runner: could not open pid file: open {}: {}", path.display(), reason(&error))
        };
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o666)
            .open(&path)
            .map_err(failed)?;
        file.write_all(std::process::id().to_string().as_bytes()).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(target: "runner", "could not remove the pid file: {}", reason(&error));
        }
    }
}

/// Tells systemd, if it started us and wants to know.
pub fn notify_ready() {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else { return };
    let told = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    }
    .and_then(|address| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address));
    if let Err(error) = told {
        tracing::warn!(target: "runner", "could not notify systemd: {}", reason(&error));
    }
}
