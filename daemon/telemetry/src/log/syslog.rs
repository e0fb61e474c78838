//! Lines to the local syslog daemon, in the form of RFC 3164.
//!
//! The socket does not block: when the daemon cannot keep up, lines are lost rather than requests delayed.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use time::{OffsetDateTime, UtcOffset};

use super::level::Level;

/// Where syslog daemons listen.
pub const DAEMON_SOCKETS: &[&str] = &["/dev/log", "/var/run/syslog", "/var/run/log"];

const TAG: &str = "consul";

/// The part of the system a message is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

/// A facility that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid syslog facility: {0}")]
pub struct UnknownFacility(pub String);

impl FromStr for Facility {
    type Err = UnknownFacility;

    fn from_str(text: &str) -> Result<Self, UnknownFacility> {
        const NAMES: &[&str] = &[
            "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV",
            "FTP", "", "", "", "", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6",
            "LOCAL7",
        ];
        let name = text.to_ascii_uppercase();
        NAMES
            .iter()
            .position(|known| !known.is_empty() && **known == name)
            .and_then(|code| u8::try_from(code).ok())
            .map(Self)
            .ok_or_else(|| UnknownFacility(text.to_owned()))
    }
}

/// A connection to a syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    facility: Facility,
    tag: String,
    path: PathBuf,
    socket: UnixDatagram,
}

impl Syslog {
    /// Connects to the first socket that answers, trying again until the time is up.
    pub fn connect_within<P: AsRef<Path>>(
        facility: Facility,
        paths: &[P],
        timeout: Duration,
    ) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        let mut pause = Duration::from_millis(50);
        loop {
            let mut failure = io::Error::from(io::ErrorKind::NotFound);
            for path in paths {
                match connect(path.as_ref()) {
                    Ok(socket) => {
                        let (tag, path) = (TAG.to_owned(), path.as_ref().to_owned());
                        return Ok(Self { facility, tag, path, socket });
                    }
                    Err(err) => failure = err,
                }
            }
            if Instant::now() + pause > deadline {
                return Err(failure);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    }

    /// The same connection for another program's messages.
    pub fn tagged(self, tag: &str) -> Self {
        Self { tag: tag.to_owned(), ..self }
    }

    /// Sends one message. A daemon that was restarted is found again; one that is gone or too slow loses it.
    pub fn send(
        &mut self,
        level: Level,
        time: SystemTime,
        offset: UtcOffset,
        statement: &str,
    ) -> io::Result<()> {
        let datagram = format!(
            "<{}>{} {}[{}]: {statement}\n",
            u16::from(self.facility.0) * 8 + severity(level),
            stamp(time, offset),
            self.tag,
            std::process::id(),
        );
        match self.socket.send(datagram.as_bytes()) {
            Err(err) if err.kind() != io::ErrorKind::WouldBlock => {
                self.socket = connect(&self.path)?;
                self.socket.send(datagram.as_bytes()).map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// Levels are filed one step below their syslog namesakes, so that a syslog's `info` is not our every request.
fn severity(level: Level) -> u16 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 5,
        Level::Debug => 6,
        Level::Trace => 7,
    }
}

/// `Nov  3 04:54:59`
fn stamp(time: SystemTime, offset: UtcOffset) -> String {
    let at = OffsetDateTime::from(time).to_offset(offset);
    let month = at.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    format!("{month} {:2} {:02}:{:02}:{:02}", at.day(), at.hour(), at.minute(), at.second())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn facilities_by_name() {
        assert_eq!("LOCAL0".parse(), Ok(Facility(16)));
        assert_eq!("daemon".parse(), Ok(Facility(3)));
        assert!("".parse::<Facility>().is_err());
        assert!("LOCAL8".parse::<Facility>().is_err());
    }

    #[test]
    fn messages_survive_a_restart_of_the_daemon() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).expect("binds");
        let paths = [directory.path().join("none"), path.clone()];
        let mut syslog = Syslog::connect_within(Facility(16), &paths, Duration::ZERO).expect("connects");
        let time = UNIX_EPOCH + Duration::from_secs(1_793_681_699);
        syslog.send(Level::Warn, time, UtcOffset::UTC, "agent: careful: x=1").expect("sends");
        let mut buffer = [0; 256];
        let length = daemon.recv(&mut buffer).expect("receives");
        let expected = format!("<132>Nov  3 04:54:59 consul[{}]: agent: careful: x=1\n", std::process::id());
        assert_eq!(String::from_utf8_lossy(&buffer[..length]), expected);

        drop(daemon);
        std::fs::remove_file(&path).expect("removes");
        assert!(syslog.send(Level::Info, time, UtcOffset::UTC, "lost").is_err());
        let daemon = UnixDatagram::bind(&path).expect("binds");
        syslog.send(Level::Error, time, UtcOffset::UTC, "found").expect("sends");
        let length = daemon.recv(&mut buffer).expect("receives");
        assert!(String::from_utf8_lossy(&buffer[..length]).starts_with("<131>"));
    }

    #[test]
    fn a_daemon_that_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().expect("temporary directory");
        let paths = [directory.path().join("none")];
        assert!(Syslog::connect_within(Facility(16), &paths, Duration::from_millis(1)).is_err());
    }
}
