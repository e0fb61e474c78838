//! Severity, as it is configured and as it is written.

use std::fmt;
use std::str::FromStr;

/// How severe a record is; ordered from most to least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is not as it should be.
    Warn = 2,
    /// Something noteworthy happened.
    Info = 3,
    /// Details for whoever looks for a fault.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// A level that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown log level: {0}")]
pub struct UnknownLevel(pub String);

impl UnknownLevel {
    /// The text that a start with such a level ends with.
    pub fn at_start(&self) -> String {
        format!("Invalid log level: {}. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]", self.0)
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        match text.to_ascii_lowercase().as_str() {
            "trace" => Ok(Self::Trace),
            "debug" => Ok(Self::Debug),
            "info" => Ok(Self::Info),
            "warn" => Ok(Self::Warn),
            "err" | "error" => Ok(Self::Error),
            _ => Err(UnknownLevel(text.to_owned())),
        }
    }
}

impl Level {
    /// The level column of a text line, padded so that modules line up.
    pub(super) fn column(self) -> &'static str {
        match self {
            Self::Error => "[ERROR]",
            Self::Warn => "[WARN] ",
            Self::Info => "[INFO] ",
            Self::Debug => "[DEBUG]",
            Self::Trace => "[TRACE]",
        }
    }

    pub(super) fn from_u8(value: u8) -> Self {
        match value {
            0 | 1 => Self::Error,
            2 => Self::Warn,
            3 => Self::Info,
            4 => Self::Debug,
            _ => Self::Trace,
        }
    }

    pub(super) fn filter(self) -> tracing::level_filters::LevelFilter {
        use tracing::level_filters::LevelFilter;
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::ERROR => Self::Error,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::INFO => Self::Info,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::TRACE => Self::Trace,
        }
    }
}

/// The lower-case name, as in JSON lines.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        })
    }
}
