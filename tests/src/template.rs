//! A directory with templates, and `consul-template` processes that render them.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{self, Output};
use crate::wait::{check, eventually};
use crate::{Agent, binary};

/// What stands for the directory in configurations and command lines.
const DIR: &str = "DIR";
/// Exit code after the signal that means "stop".
const STOPPED: i32 = 12;

/// A directory that holds sources, configuration, rendered files and the log. It is the working directory of the
/// processes; `DIR` in texts and arguments stands for its path.
pub struct Templates {
    dir: TempDir,
    consul: String,
}

impl Templates {
    /// Templates that are to be rendered with what `agent` knows.
    pub fn of(agent: &Agent) -> Self {
        let dir = TempDir::with_prefix("consul-template-test-").expect("a temporary directory can be made");
        fs::create_dir(dir.path().join("conf")).expect("the directory is ours");
        Self { dir, consul: format!("{}:{}", agent.address(), agent.ports().http) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The text with the directory in it.
    pub fn adapt(&self, text: &str) -> String {
        text.replace(DIR, &self.dir.path().display().to_string())
    }

    /// Writes a file below the directory, in one step for whoever watches it.
    pub fn write(&self, name: &str, text: &str) {
        let draft = self.path(&format!("{name}.draft"));
        fs::write(&draft, self.adapt(text)).expect("the directory is ours");
        fs::rename(draft, self.path(name)).expect("the directory is ours");
    }

    /// What is in a file; nothing if there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until a file holds what `holds` wants and returns it.
    pub async fn until(&self, name: &str, holds: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{name} holds what is wanted"), async || {
            let text = self.read(name);
            if holds(&text) { Ok(text) } else { Err((text, self.log_tail())) }
        })
        .await
    }

    /// Waits until a file holds exactly this.
    pub async fn reads(&self, name: &str, wanted: &str) {
        eventually(&format!("{name} reads {wanted:?}"), async || {
            let text = self.read(name);
            check(text == wanted, (text, self.log_tail()))
        })
        .await;
    }

    /// All that the processes logged.
    pub fn log(&self) -> String {
        self.read("log")
    }

    pub async fn logs(&self, text: &str) {
        eventually(&format!("the log says {text:?}"), async || {
            check(self.log().contains(text), self.log_tail())
        })
        .await;
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The status file `status.json`; null if there is none.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.read("status.json")).unwrap_or_default()
    }

    /// A command line of the binary, in this directory and for this agent.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary::consul_template());
        command.args(args.iter().map(|arg| self.adapt(arg)));
        command.current_dir(self.dir.path()).env("CONSUL_HTTP_ADDR", &self.consul).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub async fn finish(&self, args: &[&str]) -> Output {
        cli::run(self.command(args).into(), b"").await
    }

    /// Starts it. Its log goes to the file `log`, what it prints to `printed`.
    pub fn start(&self, args: &[&str]) -> Rendering {
        self.start_with(args, &[])
    }

    /// [`Self::start`] with more environment.
    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Rendering {
        let append = |name: &str| {
            let file = OpenOptions::new().create(true).append(true).open(self.path(name));
            file.expect("the directory is ours")
        };
        let mut command = self.command(&[&["-log-level=debug"], args].concat());
        command.envs(env.iter().copied()).stdout(append("printed")).stderr(append("log"));
        Rendering { child: command.spawn().expect("the binary starts"), log: self.path("log") }
    }

    /// Starts it with a configuration directory that holds `text`.
    pub fn configured(&self, text: &str) -> Rendering {
        self.write("conf/main.hcl", text);
        self.start(&["-config", "DIR/conf"])
    }
}

/// A running (or ended) `consul-template`. Killed when dropped.
pub struct Rendering {
    child: Child,
    log: PathBuf,
}

impl Rendering {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("process ids are small"));
        kill(pid, signal).expect("the process runs");
    }

    /// Waits for the process to end.
    pub async fn ends(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually("consul-template ends", async || child.try_wait().ok().flatten().ok_or("still running"))
            .await
    }

    /// Ends it as an operator would.
    pub async fn stop(mut self) {
        assert!(self.is_running(), "it ended before it was stopped:\n{}", read_log(&self.log));
        self.signal(Signal::SIGINT);
        assert_eq!(self.ends().await.code(), Some(STOPPED));
    }

    /// SIGKILL, and the end of it.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("a killed process ends");
    }
}

impl Drop for Rendering {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- consul-template logged:\n{}", read_log(&self.log));
        }
    }
}

fn read_log(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
