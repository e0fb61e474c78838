//! A wall clock that a test can move, for one process.
//!
//! Nobody may move the machine's clock, and time namespaces only move the monotonic one. libfaketime stands between a
//! dynamically linked program and the C library and reads an offset from a file. It has no effect on programs that ask
//! the kernel themselves, as Go's do: who uses this must look ([`Clock::moves`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::{Agent, Setup};

/// Beyond what the machine's own load could explain.
const NOTICEABLE: i64 = 20;

/// The offset of one process's wall clock.
pub struct Clock {
    library: PathBuf,
    dir: TempDir,
}

impl Clock {
    /// None if libfaketime is not installed.
    pub fn new() -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
        let library = folders
            .map(|folder| folder.join("faketime/libfaketimeMT.so.1"))
            .chain(["/usr/lib/faketime/libfaketimeMT.so.1".into()])
            .find(|file| file.is_file())?;
        let clock = Self { library, dir: TempDir::with_prefix("consul-clock-").ok()? };
        clock.set(0);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("offset")
    }

    /// Makes an agent live by this clock.
    pub fn govern(&self, setup: Setup) -> Setup {
        let text = |path: &Path| path.display().to_string();
        setup
            .env("LD_PRELOAD", &text(&self.library))
            .env("FAKETIME_TIMESTAMP_FILE", &text(&self.file()))
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }

    /// Seconds before or after the machine's clock.
    pub fn set(&self, offset_seconds: i64) {
        let next = self.dir.path().join("next");
        fs::write(&next, format!("{offset_seconds:+}\n")).expect("the directory is ours");
        fs::rename(next, self.file()).expect("the directory is ours");
    }

    /// Whether the agent goes by this clock: moves it, and looks at the date of an answer.
    pub async fn moves(&self, agent: &Agent) -> bool {
        self.set(3600);
        let shown = shown_by(agent).await;
        self.set(0);
        shown.is_some_and(|seconds| seconds - now() > 3600 - NOTICEABLE)
    }
}

/// Seconds since 1970 by the `Date` header of an answer.
async fn shown_by(agent: &Agent) -> Option<i64> {
    let reply = agent.get("/v1/status/leader").await;
    let date = reply.header("date").to_owned();
    // `date` knows the format, and every machine has it.
    let output = std::process::Command::new("date").args(["-u", "+%s", "-d", &date]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
