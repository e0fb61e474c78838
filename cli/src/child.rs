//! Children of `lock` and `watch`: how they are started, awaited and ended.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::input;

/// How long a child may take to end after SIGTERM.
pub const GRACE: Duration = Duration::from_secs(5);

/// The command that runs `words`: as they are, or joined and given to the user's shell.
pub fn command(words: &[OsString], shell: bool) -> Command {
    if shell {
        let name = std::env::var_os("SHELL").filter(|name| !name.is_empty()).unwrap_or("/bin/sh".into());
        let mut command = Command::new(name);
        command.arg("-c").arg(words.join(" ".as_ref()));
        return command;
    }
    let mut words = words.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    command
}

/// Starts the command; the error says why that is impossible.
pub fn start(command: &mut Command, stdin: Stdio) -> Result<Child, String> {
    command.stdin(stdin).spawn().map_err(|error| {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound if !program.contains('/') => {
                format!("exec: {program:?}: executable file not found in $PATH")
            }
            _ => format!("fork/exec {program}: {}", input::reason(&error)),
        }
    })
}

/// Sends SIGTERM. A child that is gone already is no error.
pub fn terminate(child: &Child) {
    if let Some(pid) = pid(child) {
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Ends the child: SIGTERM, then SIGKILL once the grace period is over. Returns when it is gone.
pub async fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    terminate(child);
    match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.kill().await?;
            child.wait().await
        }
    }
}

pub fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
}

/// `exit status 3` or `signal: killed`; nothing for success.
pub fn complaint(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit status {code}")),
        (None, Some(number)) => Some(format!("signal: {}", signal_words(number))),
        (None, None) => Some("unknown status".to_owned()),
    }
}

/// A signal as Go calls it.
fn signal_words(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(Signal::SIGHUP) => "hangup".to_owned(),
        Ok(Signal::SIGINT) => "interrupt".to_owned(),
        Ok(Signal::SIGQUIT) => "quit".to_owned(),
        Ok(Signal::SIGABRT) => "aborted".to_owned(),
        Ok(Signal::SIGKILL) => "killed".to_owned(),
        Ok(Signal::SIGSEGV) => "segmentation fault".to_owned(),
        Ok(Signal::SIGPIPE) => "broken pipe".to_owned(),
        Ok(Signal::SIGTERM) => "terminated".to_owned(),
        _ => format!("signal {number}"),
    }
}
