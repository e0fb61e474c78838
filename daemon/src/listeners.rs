//! Opens the sockets of the HTTP door.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use consul_config::{ListenAddr, UnixSockets};
use tokio::net::{TcpListener, UnixListener};
use tracing::info;

use crate::http::server::HttpServer;

/// Sockets that are open but not served yet.
pub struct HttpListeners {
    tcp: Vec<TcpListener>,
    unix: Vec<(UnixListener, SocketFile)>,
}

/// Removes the file of a socket at the end.
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else may have removed it, which is what we want.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl HttpListeners {
    /// Opens all of `addresses`, or none.
    pub async fn bind(addresses: &[ListenAddr], files: &UnixSockets) -> Result<Self, String> {
        let mut listeners = Self { tcp: Vec::new(), unix: Vec::new() };
        for address in addresses {
            match address {
                ListenAddr::Tcp(address) => {
                    let listener = TcpListener::bind(address)
                        .await
                        .map_err(|error| format!("listen tcp {address}: bind: {}", os_text(&error)))?;
                    listeners.tcp.push(listener);
                }
                ListenAddr::Unix(path) => listeners.unix.push(bind_unix(path, files)?),
            }
        }
        Ok(listeners)
    }

    /// Hands the sockets to the server. The returned guards remove socket files when dropped.
    pub fn serve(self, server: &Arc<HttpServer>) -> Vec<SocketFile> {
        for listener in self.tcp {
            if let Ok(address) = listener.local_addr() {
                info!(target: "agent", %address, network = "tcp", "Started HTTP server");
            }
            server.serve_tcp(listener);
        }
        let mut files = Vec::new();
        for (listener, file) in self.unix {
            info!(target: "agent", address = %file.0.display(), network = "unix", "Started HTTP server");
            server.serve_unix(listener);
            files.push(file);
        }
        files
    }
}

fn bind_unix(path: &Path, files: &UnixSockets) -> Result<(UnixListener, SocketFile), String> {
    let shown = path.display();
    // A file left behind by a crash would make the bind fail.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("listen unix {shown}: cannot replace the file: {}", os_text(&error)));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path)
        .map_err(|error| format!("listen unix {shown}: bind: {}", os_text(&error)))?;
    let file = SocketFile(path.to_owned());
    set_permissions(path, files).map_err(|reason| format!("Failed setting up socket: {shown}: {reason}"))?;
    Ok((listener, file))
}

fn set_permissions(path: &Path, files: &UnixSockets) -> Result<(), String> {
    let user = files.user.as_deref().map(user_id).transpose()?;
    let group = files.group.as_deref().map(group_id).transpose()?;
    if user.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, user, group).map_err(|error| os_text(&error))?;
    }
    if let Some(mode) = files.mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| os_text(&error))?;
    }
    Ok(())
}

fn user_id(text: &str) -> Result<u32, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let user = nix::unistd::User::from_name(text).map_err(|error| error.to_string())?;
    user.map(|user| user.uid.as_raw()).ok_or_else(|| format!("unknown user {text:?}"))
}

fn group_id(text: &str) -> Result<u32, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let group = nix::unistd::Group::from_name(text).map_err(|error| error.to_string())?;
    group.map(|group| group.gid.as_raw()).ok_or_else(|| format!("unknown group {text:?}"))
}

/// The operating system's words without Rust's error number, in lower case as other programs print them.
pub fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.chars()
        .next()
        .map(|first| first.to_lowercase().chain(text.chars().skip(1)).collect())
        .unwrap_or_default()
}
