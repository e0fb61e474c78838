//! Starts programs, and waits for those that end by themselves.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use consul_api::client::Secret;
use consul_api::types::duration::GoDuration;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::config::{CommandWords, EnvSettings};
use crate::words::reason;

use super::environment::variables;

/// A plugin that says more than this is cut off.
const PLUGIN_OUTPUT_MAX: u64 = 16 << 20;
/// How long a plugin may take.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What a command is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It acts on a change.
    Act,
    /// It says whether a change may happen: what it prints goes to standard error.
    Check,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error("child: exec: {program:?}: {why}")]
    Start { program: String, why: String },
    #[error(
        "child: command exited with a non-zero exit status ({status}):\n\n    {command}\n\nA command that reports failure is taken to have failed; if that is expected, append \"|| true\""
    )]
    Failed { command: CommandWords, status: String },
    #[error("child: command did not exit within time limit ({:?}):\n\n    {command}\n\nCommands are expected to end by themselves", GoDuration::from(*.limit).to_string())]
    Timeout { command: CommandWords, limit: Duration },
    #[error("child: {0}")]
    Wait(String),
}

/// The process of `words`, ready to be started. One word with spaces in it goes to the shell, in a process group of
/// its own so that what the shell starts can be ended with it.
pub fn prepare(
    words: &CommandWords,
    env: &EnvSettings,
    exported: &[(String, Secret)],
) -> Result<Command, CommandError> {
    let mut command = if words.needs_shell() {
        let shell = find("sh").or_else(|_| find("/bin/sh")).or_else(|_| find("/usr/bin/sh"))?;
        let mut command = Command::new(shell);
        command.arg("-c").args(&words.0).process_group(0);
        command
    } else {
        let mut words = words.0.iter();
        let mut command = Command::new(find(words.next().map(|word| word.trim()).unwrap_or_default())?);
        command.args(words);
        command
    };
    command.env_clear().envs(variables(env, std::env::vars_os(), exported));
    Ok(command)
}

/// Looks a program up where we would find it ourselves: its own environment may have no `PATH` at all.
fn find(program: &str) -> Result<PathBuf, CommandError> {
    let refused = |why: &str| CommandError::Start { program: program.to_owned(), why: why.to_owned() };
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        let path = PathBuf::from(program);
        return if path.exists() { Ok(path) } else { Err(refused("no such file or directory")) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| is_program(candidate))
        .ok_or_else(|| refused("executable file not found in $PATH"))
}

/// Starts a process; the error says why that cannot be done.
pub fn start(command: &mut Command) -> Result<Child, CommandError> {
    command.spawn().map_err(|error| CommandError::Start {
        program: command.as_std().get_program().to_string_lossy().into_owned(),
        why: reason(&error),
    })
}

/// Sends a signal to a process, or to the whole group of one that was started through the shell.
pub fn send(child: &Child, group: bool, signal: Signal) {
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else { return };
    let sent = if group { killpg(pid, signal) } else { kill(pid, signal) };
    if let Err(error) = sent {
        tracing::debug!(target: "child", "could not send {signal} to process {pid}: {error}");
    }
}

/// Runs a command to its end. With no time limit it is left to itself.
pub async fn run(
    words: &CommandWords,
    env: &EnvSettings,
    exported: &[(String, Secret)],
    limit: Duration,
    purpose: Purpose,
) -> Result<(), CommandError> {
    let mut command = prepare(words, env, exported)?;
    if purpose == Purpose::Check {
        command.stdin(Stdio::null()).stdout(io::stderr());
    }
    tracing::info!(target: "child", "spawning: {words}");
    let mut child = start(&mut command)?;
    if limit.is_zero() {
        tokio::spawn(async move { child.wait().await });
        return Ok(());
    }
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(CommandError::Failed { command: words.clone(), status: status.to_string() }),
        Ok(Err(error)) => Err(CommandError::Wait(reason(&error))),
        Err(_) => {
            send(&child, words.needs_shell(), Signal::SIGKILL);
            let _ = child.wait().await;
            Err(CommandError::Timeout { command: words.clone(), limit })
        }
    }
}

/// Runs the program that a template asks for, and returns what it prints. The error holds what it printed to both
/// streams.
pub async fn plugin(program: &str, args: &[String]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(find(program).map_err(|error| error.to_string())?);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = start(&mut command).map_err(|error| error.to_string())?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(read(stdout), read(stderr), child.wait()) };
    let Ok((stdout, stderr, status)) = tokio::time::timeout(PLUGIN_TIMEOUT, all).await else {
        return Err(format!("exec {program:?}: did not finish in {} seconds", PLUGIN_TIMEOUT.as_secs()));
    };
    let printed = || {
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        format!("\n\nstdout:\n\n{stdout}\n\nstderr:\n\n{stderr}")
    };
    match status {
        Ok(status) if status.success() => Ok(stdout),
        Ok(status) => Err(format!("exec {program:?}: {status}{}", printed())),
        Err(error) => Err(format!("exec {program:?}: {}{}", reason(&error), printed())),
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // A stream that breaks is as good as one that ends: the exit status tells what matters.
        let _ = stream.take(PLUGIN_OUTPUT_MAX).read_to_end(&mut bytes).await;
    }
    bytes
}
