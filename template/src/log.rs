//! Log lines: to standard error, to files and to syslog.
//!
//! The form of a line is what operators of existing installations have parsers for: a local time with milliseconds,
//! the level, the component in parentheses and the text. The component is an event's target.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use consul_telemetry::log::{DAEMON_SOCKETS, Facility, Level, LogFile, Syslog};
use parking_lot::Mutex;
use time::{OffsetDateTime, UtcOffset};
use tracing::field::{Field, Visit};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::config::LogSettings;

/// A line is cut to this many bytes.
const LINE_MAX: usize = 16 * 1024;
/// How long a start waits for the syslog daemon.
const SYSLOG_PATIENCE: Duration = Duration::from_secs(5);

/// The log of the process; a reload changes its sinks.
pub struct Log {
    level: AtomicU8,
    offset: UtcOffset,
    sinks: Mutex<Sinks>,
}

#[derive(Default)]
struct Sinks {
    file: Option<LogFile>,
    syslog: Option<Syslog>,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Makes this the log of the process, with its first sinks still to be set. Must be called while there is only one
/// thread: the local time zone is not to be had afterwards.
pub fn install() -> &'static Log {
    let log = LOG.get_or_init(|| Log {
        level: AtomicU8::new(Level::Warn as u8),
        offset: UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC),
        sinks: Mutex::default(),
    });
    // A second run in the same process keeps what the first installed.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Lines(log)));
    log
}

impl Log {
    /// Opens what the settings name.
    pub fn configure(&self, settings: &LogSettings) -> Result<(), String> {
        let file = match &settings.file {
            Some((path, rotation)) => {
                Some(LogFile::open(&with_name(path), *rotation).map_err(|error| error.to_string())?)
            }
            None => None,
        };
        let syslog = match &settings.syslog {
            Some((facility, name)) => {
                let facility: Facility = facility.parse().map_err(|error| format!("{error}"))?;
                let syslog = Syslog::connect_within(facility, DAEMON_SOCKETS, SYSLOG_PATIENCE)
                    .map_err(|error| format!("error setting up syslog logger: {error}"))?;
                Some(syslog.tagged(name))
            }
            None => None,
        };
        *self.sinks.lock() = Sinks { file, syslog };
        self.level.store(settings.level as u8, Ordering::Relaxed);
        Ok(())
    }

    fn write(&self, level: Level, component: &str, text: &str) {
        let now = SystemTime::now();
        let statement = statement(level, component, text);
        let line = format!("{} {statement}", stamp(now, self.offset));
        // A reader of standard error that went away must not stop us.
        let _ = writeln!(std::io::stderr().lock(), "{line}");
        let mut sinks = self.sinks.lock();
        if let Some(file) = &mut sinks.file {
            let _ = file.write(&line, now);
        }
        if let Some(syslog) = &mut sinks.syslog {
            let _ = syslog.send(level, now, self.offset, &statement);
        }
    }
}

/// A path that ends in a slash is a directory for files of our name.
fn with_name(path: &std::path::Path) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        path.join("consul-template.log")
    } else {
        path.to_owned()
    }
}

/// `[WARN] (runner) text`, in one line whatever the text holds.
fn statement(level: Level, component: &str, text: &str) -> String {
    let name = match level {
        Level::Error => "ERR",
        Level::Warn => "WARN",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    };
    let mut line = format!("[{name}] ({component}) ");
    for char in text.chars() {
        match char {
            '\n' => line.push_str("\\n"),
            '\t' => line.push('\t'),
            char if char.is_control() => {
                let _ = write!(line, "\\x{:02x}", u32::from(char));
            }
            char => line.push(char),
        }
        if line.len() >= LINE_MAX {
            line.push('…');
            break;
        }
    }
    line
}

/// `2024-05-06T07:08:09.123Z`, or with an offset such as `+0900`.
fn stamp(time: SystemTime, offset: UtcOffset) -> String {
    let at = OffsetDateTime::from(time).to_offset(offset);
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    );
    if offset.is_utc() {
        text.push('Z');
    } else {
        let (hours, minutes, _) = offset.as_hms();
        let sign = if offset.is_negative() { '-' } else { '+' };
        let _ = write!(text, "{sign}{:02}{:02}", hours.unsigned_abs(), minutes.unsigned_abs());
    }
    text
}

struct Lines(&'static Log);

impl<S: Subscriber> Layer<S> for Lines {
    /// Every event is asked about anew: a reload may change the level.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let level = Level::from(*metadata.level());
        let ours = !metadata.target().contains("::") || metadata.target().starts_with("consul");
        level as u8 <= self.0.level.load(Ordering::Relaxed) && (ours || level <= Level::Warn)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let component = match event.metadata().target() {
            target if target.contains("::") => target.split("::").next().unwrap_or(target),
            target => target,
        };
        self.0.write(Level::from(*event.metadata().level()), component, &text.0);
    }
}

/// The message, followed by the fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let rest = std::mem::replace(&mut self.0, format!("{value:?}"));
            self.0.push_str(&rest);
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_known_form() {
        let time = std::time::UNIX_EPOCH + Duration::from_millis(1_714_979_289_123);
        assert_eq!(stamp(time, UtcOffset::UTC), "2024-05-06T07:08:09.123Z");
        let east = UtcOffset::from_hms(9, 0, 0).unwrap();
        assert_eq!(stamp(time, east), "2024-05-06T16:08:09.123+0900");
        assert_eq!(statement(Level::Error, "cli", "a\nb\u{1b}"), "[ERR] (cli) a\\nb\\x1b");
    }

    #[test]
    fn long_lines_are_cut() {
        assert!(statement(Level::Info, "x", &"é".repeat(LINE_MAX)).len() < LINE_MAX + 10);
    }
}
