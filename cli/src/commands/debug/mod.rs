//! `consul debug`: collects what somebody needs who looks for the cause of a problem elsewhere.

mod archive;
mod capture;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consul_api::client::Client;
use serde::Serialize;
use serde_json::Value;

use self::capture::{Capture, Target};
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::signals::Signals;
use crate::{agent, output};

pub static COMMAND: Command = Command {
    name: "debug",
    synopsis: "Collect facts about an agent in an archive",
    usage: "[options]",
    about: "Collects facts about an agent, its host and its cluster, and for a while its metrics, logs and profiles, \
            in one archive. It contains configuration and log lines: look at it before you hand it out.

    $ consul debug -duration=30s -interval=10s",
    http: Http::Agent,
    flags: &[
        Flag::switch("archive", "Pack the result and remove the folder.").or("true"),
        Flag::list("capture", "What to collect: metrics, logs, pprof, host, agent, cluster; by default everything.")
            .shown_as("target"),
        Flag::duration("duration", "How long to collect; at least 10s.").or("2m0s"),
        Flag::duration("interval", "How often to collect; at least 5s.").or("30s"),
        Flag::text("output", "Folder for the result, the archive's name without extension.").shown_as("path"),
    ],
    body: Body::Leaf(run),
};

const DURATION_MIN: Duration = Duration::from_secs(10);
const INTERVAL_MIN: Duration = Duration::from_secs(5);

/// What is to be collected, when and where to.
struct Plan {
    interval: Duration,
    duration: Duration,
    folder: PathBuf,
    targets: Vec<Target>,
    archive: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Index<'a> {
    version: u32,
    agent_version: &'a str,
    interval: String,
    duration: String,
    targets: Vec<&'static str>,
}

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if !flags.args.is_empty() {
        return Err(Failure::new("==> debug: Too many arguments provided, expected 0"));
    }
    let client = agent::client(flags, "Error connecting to Consul agent: ")?;
    let invalid = |reason: String| Failure::new(format!("==> Capture validation failed: {reason}"));
    invocation.block_on(async {
        let own = client.agent().self_document().await.map_err(|error| {
            invalid(format!("error querying target agent: {error}. verify connectivity and agent address"))
        })?;
        let mut plan = Plan::new(flags).map_err(invalid)?;
        if !profiles(&own) && plan.targets.contains(&Target::Pprof) {
            plan.targets.retain(|target| *target != Target::Pprof);
            print_error(
                "[WARN] Unable to capture pprof. Set enable_debug to true on target agent to enable profiling.",
            );
        }
        plan.execute(&client, &own).await
    })
}

/// Whether the agent lets itself be profiled.
fn profiles(own: &Value) -> bool {
    own["DebugConfig"]["EnableDebug"].as_bool().unwrap_or(false)
}

impl Plan {
    fn new(flags: &Parsed) -> Result<Self, String> {
        let (duration, interval) = (flags.duration("duration").to_std(), flags.duration("interval").to_std());
        if duration < DURATION_MIN {
            return Err(format!("duration must be longer than {}s", DURATION_MIN.as_secs()));
        }
        if interval < INTERVAL_MIN {
            return Err(format!("interval must be longer than {}s", INTERVAL_MIN.as_secs()));
        }
        if duration < interval {
            return Err("duration must be longer than interval".to_owned());
        }
        let mut targets = Vec::new();
        for name in flags.list("capture") {
            targets.push(Target::parse(&name).ok_or(format!("target not found: {name}"))?);
        }
        if targets.is_empty() {
            targets = Target::ALL.to_vec();
        }
        let folder = match flags.text("output") {
            "" => PathBuf::from(format!("consul-debug-{}", unix_seconds())),
            path => PathBuf::from(path),
        };
        if folder.exists() {
            return Err(format!("output directory already exists: {}", folder.display()));
        }
        Ok(Self { interval, duration, folder, targets, archive: flags.switch("archive") })
    }

    fn packed(&self) -> PathBuf {
        let mut name = self.folder.clone().into_os_string();
        name.push(".tar.gz");
        name.into()
    }

    async fn execute(&self, client: &Client, own: &Value) -> Outcome {
        let mut signals = Signals::new()?;
        let result = if self.archive { self.packed() } else { self.folder.clone() };
        let version = own["Config"]["Version"].as_str().unwrap_or_default();
        let names: Vec<&'static str> = self.targets.iter().map(|target| target.name()).collect();
        let (interval, duration) = (shown(self.interval), shown(self.duration));
        output::print(&format!(
            "==> Starting debugger and capturing static information...\n     Agent Version: '{version}'\n          \
             Interval: '{interval}'\n          Duration: '{duration}'\n            Output: '{}'\n           Capture: \
             '{}'\n",
            result.display(),
            names.join(", ")
        ))?;
        let failed = |error: String| Failure::new(format!("==> Capture failed: {error}"));
        let mut capture = Capture::new(client, &self.folder, &self.targets).map_err(failed)?;
        let index = Index { version: 1, agent_version: version, interval, duration, targets: names };
        capture.write("index.json", &index).map_err(failed)?;
        capture.facts(own).await;
        let collected = tokio::select! {
            collected = capture.repeat(self.interval, self.duration) => collected,
            () = signals.received() => Ok(()),
        };
        for complaint in &capture.complaints {
            print_error(&format!("[WARN] {complaint}"));
        }
        collected?;
        if self.archive {
            archive::pack(&self.folder, &self.packed()).map_err(failed)?;
        }
        output::print_line(&format!("    Saved debug archive: {}", result.display()))?;
        Ok(Exit::SUCCESS)
    }
}

fn shown(span: Duration) -> String {
    consul_api::types::duration::GoDuration::from(span).to_string()
}

pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
