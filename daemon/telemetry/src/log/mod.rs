//! The log: records from `tracing` events to lines on the console, in files, in syslog and in monitor streams.
//!
//! The module column of a line is the event's `target`: `tracing::info!(target: "agent.http", ...)`. Events of
//! our crates that name no target belong to `agent`; those of libraries appear from warnings up only.
//!
//! [`Logs`] may be installed long before the configuration is known. Until [`Logs::start`] it keeps the first
//! lines in memory and writes them out afterwards.

mod console;
mod file;
mod layer;
mod level;
mod monitor;
mod record;
mod redact;
mod syslog;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

pub use console::Console;
pub use file::{LogFile, Rotation};
pub use layer::LogLayer;
pub use level::{Level, UnknownLevel};
pub use monitor::{Format, MONITOR_LINES_MAX, Monitor, MonitorEvent};
pub use record::Record;
pub use redact::redact_url;
pub use syslog::{DAEMON_SOCKETS, Facility, Syslog, UnknownFacility};

use layer::Shared;

/// Where the log goes and what it contains.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// The least severe level that is written. Monitor streams have their own.
    pub level: Level,
    /// JSON instead of text lines.
    pub json: bool,
    /// The console that gets the lines.
    pub console: Console,
    /// A file that gets them too.
    pub file: Option<(PathBuf, Rotation)>,
    /// The syslog facility that gets them too.
    pub syslog: Option<String>,
    /// How long to keep trying if the syslog daemon is not there yet.
    pub syslog_timeout: Duration,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: Level::Info,
            json: false,
            console: Console::Stdout,
            file: None,
            syslog: None,
            syslog_timeout: Duration::from_secs(60),
        }
    }
}

/// Why the log could not be set up. The texts are what the agent prints before it exits.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file could not be opened.
    #[error("Failed to setup logging: open {}: {}", path.display(), record::os_text(source))]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The syslog daemon did not answer, or there is no such facility.
    #[error("Syslog setup did not succeed within timeout ({}).", record::go_duration(*timeout))]
    Syslog {
        /// How long was tried.
        timeout: Duration,
    },
    /// Another subscriber has been installed in this process.
    #[error("another log subscriber is installed already")]
    Installed,
}

/// The handle on a process's log.
#[derive(Clone)]
pub struct Logs {
    shared: Arc<Shared>,
}

impl Logs {
    /// A log and the layer that feeds it. Lines are kept until [`Logs::start`].
    pub fn new() -> (Self, LogLayer) {
        let shared = Arc::new(Shared::new());
        (Self { shared: Arc::clone(&shared) }, LogLayer::new(shared))
    }

    /// Makes this the process's log.
    pub fn install() -> Result<Self, LogError> {
        let (logs, layer) = Self::new();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Installed)?;
        Ok(logs)
    }

    /// Opens the sinks and writes what has been kept so far. May wait for syslog up to the configured time.
    pub fn start(&self, config: &LogConfig) -> Result<(), LogError> {
        let file = match &config.file {
            None => None,
            Some((path, rotation)) => Some(LogFile::open(path, *rotation)?),
        };
        let syslog = match &config.syslog {
            None => None,
            Some(name) => Some(open_syslog(name, config.syslog_timeout)?),
        };
        self.shared.start(config, file, syslog);
        Ok(())
    }

    /// Changes the level of console, file and syslog.
    pub fn set_level(&self, level: Level) {
        self.shared.set_level(level);
    }

    /// The level of console, file and syslog.
    pub fn level(&self) -> Level {
        self.shared.level()
    }

    /// Starts a stream of the lines that are logged from now on, at its own level and in its own format.
    pub fn monitor(&self, level: Level, format: Format) -> Monitor {
        self.shared.monitor(level, format)
    }

    /// Ends all monitor streams once they have been read to the end: the agent is about to stop.
    pub fn close_monitors(&self) {
        self.shared.close_monitors();
    }
}

fn open_syslog(facility: &str, timeout: Duration) -> Result<Syslog, LogError> {
    let unreachable = LogError::Syslog { timeout };
    let Ok(facility) = facility.parse::<Facility>() else { return Err(unreachable) };
    Syslog::connect_within(facility, syslog::DAEMON_SOCKETS, timeout).map_err(|_| unreachable)
}
