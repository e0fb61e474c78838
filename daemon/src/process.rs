//! What the agent asks of the operating system.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{debug, warn};

/// Raises the limit on open files as far as allowed; returns it. Each connection and each check needs one.
pub fn raise_open_files_limit() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return usize::try_from(hard).unwrap_or(usize::MAX);
    }
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// A file that holds the process id while the agent runs.
pub struct PidFile(PathBuf);

impl PidFile {
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = std::fs::File::create(path)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            warn!(target: "agent", path = %self.0.display(), %error, "could not delete pid file");
        }
    }
}

/// Tells systemd about a change of state (`READY=1`, `RELOADING=1`, `STOPPING=1`), if it started this process.
pub fn notify_supervisor(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send_state(&path.to_string_lossy(), state) {
        debug!(target: "agent", %error, "could not notify the service manager");
    }
}

fn send_state(path: &str, state: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    match path.strip_prefix('@') {
        None => socket.send_to(state.as_bytes(), path).map(drop),
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            socket.send_to_addr(state.as_bytes(), &address).map(drop)
        }
    }
}
