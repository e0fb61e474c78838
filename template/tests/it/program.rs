//! Runs the program in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::agent::Agent;

/// How long anything may take. Far longer than it does, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An agent and a directory with templates.
pub struct Place {
    pub agent: Agent,
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { agent: Agent::start(), dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and returns its path as text.
    pub fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// The content of a file; empty if there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn eventually_reads(&self, name: &str, content: &str) {
        eventually(&format!("{name} is {content:?}, not {:?}", self.read(name)), || {
            self.read(name) == content
        });
    }

    /// A configuration file; `DIR` in it stands for the directory.
    pub fn config(&self, text: &str) -> String {
        self.file("config.hcl", &text.replace("DIR", &self.dir.path().display().to_string()))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consul-template"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CONSUL_HTTP_ADDR", self.agent.address())
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn finish(&self, args: &[&str]) -> Output {
        self.finish_with(args, &[])
    }

    pub fn finish_with(&self, args: &[&str], env: &[(&str, &str)]) -> Output {
        let (stdout, stderr) = (self.path("finish.out"), self.path("finish.err"));
        let mut command = self.command(args);
        command.envs(env.iter().copied());
        command.stdout(fs::File::create(&stdout).unwrap()).stderr(fs::File::create(&stderr).unwrap());
        let mut running = Running { child: command.spawn().unwrap(), log: stderr.clone() };
        let status = running.wait();
        Output { status, stdout: fs::read(stdout).unwrap(), stderr: fs::read(stderr).unwrap() }
    }

    /// Starts the program. Its log goes to the file `log`, what it prints to `stdout`.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    pub fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let mut command = self.command(&[&["-log-level=debug"], args].concat());
        let append =
            |name: &str| fs::OpenOptions::new().create(true).append(true).open(self.path(name)).unwrap();
        command.envs(env.iter().copied()).stdout(append("stdout")).stderr(append("log"));
        Running { child: command.spawn().unwrap(), log: self.path("log") }
    }
}

/// A running program, killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "the program does not end:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as an operator would.
    pub fn stop(mut self) {
        self.signal(Signal::SIGINT);
        assert_eq!(self.wait().code(), Some(12));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was printed, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn inode(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).unwrap().ino()
}
