//! A stand-in for the system's log daemon, where there is none.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const SOCKET: &str = "/dev/log";

/// Only one test at a time can own the socket.
static OWNER: Mutex<()> = Mutex::new(());

/// Receives what programs send to the system log. Removes its socket when dropped.
pub struct Syslog {
    lines: Arc<Mutex<Vec<String>>>,
    _owner: MutexGuard<'static, ()>,
}

impl Syslog {
    /// None if the machine has a log daemon of its own or does not let us stand in for it.
    pub fn listen() -> Option<Self> {
        let owner = OWNER.lock().unwrap_or_else(PoisonError::into_inner);
        let socket = UnixDatagram::bind(SOCKET).ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let weak = Arc::downgrade(&lines);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Some(lines) = weak.upgrade() {
                if let Ok(count) = socket.recv(&mut buffer) {
                    let line = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        });
        Some(Self { lines, _owner: owner })
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        // Gone already if somebody cleaned up; nothing else to do then.
        let _ = std::fs::remove_file(SOCKET);
    }
}
