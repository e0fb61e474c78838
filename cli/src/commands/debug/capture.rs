//! Collects facts once and figures repeatedly, each into a file of its own.
//!
//! What cannot be had is noted and left out: half a picture of a sick agent is better than none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use consul_api::client::{Client, ClientError, LineStream};
use consul_api::types::time::GoTime;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::unix_seconds;
use crate::failure::Failure;
use crate::{input, output};

/// What can be collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Metrics,
    Logs,
    Pprof,
    Host,
    Agent,
    Cluster,
}

impl Target {
    pub const ALL: [Self; 6] =
        [Self::Metrics, Self::Logs, Self::Pprof, Self::Host, Self::Agent, Self::Cluster];

    pub fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Pprof => "pprof",
            Self::Host => "host",
            Self::Agent => "agent",
            Self::Cluster => "cluster",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        // Later releases call the list of members by its name.
        let name = if name == "members" { "cluster" } else { name };
        Self::ALL.into_iter().find(|target| target.name() == name)
    }
}

pub struct Capture<'a> {
    client: &'a Client,
    folder: &'a Path,
    targets: &'a [Target],
    /// What could not be had.
    pub complaints: Vec<String>,
}

/// The most of the log that one interval keeps in memory.
const LOG_BYTES_MAX: usize = 64 << 20;

impl<'a> Capture<'a> {
    pub fn new(client: &'a Client, folder: &'a Path, targets: &'a [Target]) -> Result<Self, String> {
        make(folder)?;
        Ok(Self { client, folder, targets, complaints: Vec::new() })
    }

    fn wants(&self, target: Target) -> bool {
        self.targets.contains(&target)
    }

    pub fn write<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), String> {
        save(&self.folder.join(name), output::json(value, output::TAB).as_bytes())
    }

    /// What does not change while we look.
    pub async fn facts(&mut self, own: &Value) {
        if self.wants(Target::Agent) {
            let saved = self.write("agent.json", own);
            self.note(saved);
        }
        if self.wants(Target::Host) {
            let host = self.client.agent().host().await;
            self.keep("host.json", host);
        }
        if self.wants(Target::Cluster) {
            let members = self.client.agent().members(true, "").await;
            self.keep("cluster.json", members);
        }
    }

    fn keep<T: Serialize>(&mut self, name: &str, answer: Result<T, ClientError>) {
        let saved = match answer {
            Ok(value) => self.write(name, &value),
            Err(error) => Err(error.to_string()),
        };
        self.note(saved.map_err(|error| format!("{name}: {error}")));
    }

    fn note(&mut self, saved: Result<(), String>) {
        if let Err(error) = saved {
            self.complaints.push(error);
        }
    }

    /// Collects once per interval until the time is up.
    pub async fn repeat(&mut self, interval: Duration, duration: Duration) -> Result<(), Failure> {
        let end = Instant::now() + duration;
        let mut logs = None;
        if self.wants(Target::Logs) {
            match self.client.agent().monitor("DEBUG", false).await {
                Ok(lines) => logs = Some(lines),
                Err(error) => self.complaints.push(format!("logs: {error}")),
            }
        }
        let mut round = 0;
        while Instant::now() < end {
            let now = GoTime::now();
            output::print_line(&format!("==> Beginning capture interval {now} ({round})"))?;
            let until = end.min(Instant::now() + interval);
            let folder = self.folder.join(unix_seconds().to_string());
            self.note_made(&folder);
            self.metrics(&folder).await;
            self.profiles(&folder, interval.min(until - Instant::now())).await;
            self.log(&folder, &mut logs, until).await;
            tokio::time::sleep_until(until).await;
            round += 1;
            output::print_line(&format!("==> Capture successful {} ({round})", GoTime::now()))?;
        }
        Ok(())
    }

    fn note_made(&mut self, folder: &Path) {
        self.note(make(folder));
    }

    async fn metrics(&mut self, folder: &Path) {
        if !self.wants(Target::Metrics) {
            return;
        }
        let answer = self.client.get("/v1/agent/metrics").fetch_value::<Value>().await;
        let saved = match answer {
            Ok(value) => save(&folder.join("metrics.json"), output::json(&value, output::TAB).as_bytes()),
            Err(error) => Err(format!("metrics: {error}")),
        };
        self.note(saved);
    }

    async fn profiles(&mut self, folder: &Path, span: Duration) {
        if !self.wants(Target::Pprof) {
            return;
        }
        let seconds = Some(span.as_secs().max(1));
        for (kind, file, seconds) in [
            ("heap", "heap.prof", None),
            ("goroutine", "goroutine.prof", None),
            ("profile", "profile.prof", seconds),
        ] {
            let saved = match self.client.agent().profile(kind, seconds).await {
                Ok(bytes) => save(&folder.join(file), &bytes),
                Err(error) => Err(format!("pprof {kind}: {error}")),
            };
            self.note(saved);
        }
    }

    /// Gathers log lines until the interval is over.
    async fn log(&mut self, folder: &Path, logs: &mut Option<LineStream>, until: Instant) {
        let Some(lines) = logs else { return };
        let mut text = String::new();
        let mut ended = false;
        while let Ok(line) = timeout_at(until, lines.line()).await {
            match line {
                Ok(Some(line)) if text.len() + line.len() < LOG_BYTES_MAX => {
                    text.push_str(&line);
                    text.push('\n');
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    ended = true;
                    break;
                }
            }
        }
        let saved = save(&folder.join("consul.log"), text.as_bytes());
        self.note(saved);
        if ended {
            *logs = None;
            self.complaints.push("logs: the agent ended the stream".to_owned());
        }
    }
}

fn make(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| input::describe("mkdir", folder, &error))
}

fn save(path: &PathBuf, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| input::describe("write", path, &error))
}
