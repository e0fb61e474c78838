//! Complete settings: every default is filled in, every rule was checked.

use std::path::PathBuf;
use std::time::Duration;

use consul_api::client::Secret;
use consul_telemetry::log::{Level, Rotation};
use nix::sys::signal::Signal;

use super::layer::CommandWords;
use super::wait::Wait;

/// What one run works with. A reload makes new ones.
#[derive(Clone, Debug)]
pub struct Settings {
    pub client: consul_api::client::Config,
    pub retry: Retry,
    pub templates: Vec<TemplateSettings>,
    /// The supervised program.
    pub exec: Option<ExecSettings>,
    pub deduplicate: Option<DedupSettings>,
    pub log: LogSettings,
    pub pid_file: Option<PathBuf>,
    pub status_file: Option<PathBuf>,
    /// The signal that means stop.
    pub kill_signal: Option<Signal>,
    pub reload_signal: Option<Signal>,
    /// Answers of any server are taken up to this age; zero asks the leader always.
    pub max_stale: Duration,
    pub block_query_wait: Duration,
    /// How many connections to the agent may be in use at once.
    pub connections: usize,
    pub once: bool,
    pub dry: bool,
    pub err_on_failed_lookup: bool,
    /// Variables that programs and templates get beside those of this process.
    pub exported: Exported,
}

/// Variables by name; some are secrets, so none shows up in debugging output.
pub type Exported = Vec<(String, Secret)>;

/// What to do when the agent does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub enabled: bool,
    /// None for as long as it takes.
    pub attempts: Option<u32>,
    pub backoff: Duration,
    /// Longest wait between two attempts, if there is one.
    pub max_backoff: Option<Duration>,
}

impl Retry {
    /// How long to wait after `failures` failures in a row (counted before this one); none to give up.
    pub fn wait_after(&self, failures: u32) -> Option<Duration> {
        if !self.enabled || self.attempts.is_some_and(|attempts| failures >= attempts) {
            return None;
        }
        let wait = self.backoff.saturating_mul(1u32.checked_shl(failures).unwrap_or(u32::MAX));
        Some(wait.min(self.max_backoff.unwrap_or(Duration::from_secs(24 * 3600))))
    }
}

/// Where a template's text comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    File(PathBuf),
    Inline(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Inline(_) => f.write_str("(dynamic)"),
        }
    }
}

/// One template.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSettings {
    pub source: Source,
    /// Handlebars instead of Go's language.
    pub handlebars: bool,
    /// None only if nothing is written.
    pub destination: Option<PathBuf>,
    pub create_dest_dirs: bool,
    /// None keeps the mode of the file that is there.
    pub perms: Option<u32>,
    pub owner: Ownership,
    pub backup: bool,
    /// What runs after the file changed.
    pub command: Option<ExecSettings>,
    pub error_on_missing_key: bool,
    pub error_fatal: bool,
    pub left_delimiter: String,
    pub right_delimiter: String,
    /// None if every change is rendered at once.
    pub wait: Option<Wait>,
    pub sandbox_path: Option<PathBuf>,
    pub function_denylist: Vec<String>,
    pub guards: Guards,
}

/// Who shall own a file; names are looked up at every rendering.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    pub user: Option<String>,
    pub uid: Option<u32>,
    pub group: Option<String>,
    pub gid: Option<u32>,
}

impl Ownership {
    pub fn is_set(&self) -> bool {
        *self != Self::default()
    }
}

/// What must hold before new content replaces the old.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guards {
    /// Each service that the template asks for has at least so many instances.
    pub min_instances: Option<u32>,
    /// Neither the number of instances nor the length of the file falls by a larger share than this at once.
    pub max_shrink: Option<f64>,
    /// This command succeeds for the new content.
    pub check_command: Option<CommandWords>,
}

/// A program: run after a change, or supervised.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecSettings {
    pub command: CommandWords,
    pub kill_signal: Option<Signal>,
    pub kill_timeout: Duration,
    pub reload: Reload,
    /// Signals are delayed by a random part of this.
    pub splay: Duration,
    /// Zero does not wait for the command at all. Means nothing to the supervised program.
    pub timeout: Duration,
    pub env: EnvSettings,
}

/// How the supervised program learns of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// It is started anew.
    Restart,
    Signal(Signal),
    /// It does not.
    Nothing,
}

/// Which variables a program gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvSettings {
    pub pristine: bool,
    pub custom: Vec<String>,
    pub allowlist: Vec<String>,
    pub denylist: Vec<String>,
}

/// Sharing the work with other instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupSettings {
    pub prefix: String,
    pub ttl: Duration,
    pub max_stale: Duration,
    pub block_query_wait: Duration,
}

/// Where the log goes.
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub level: Level,
    pub file: Option<(PathBuf, Rotation)>,
    /// Facility and the program's name.
    pub syslog: Option<(String, String)>,
}
