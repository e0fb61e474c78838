//! Running a program to its end, or killing it with everything it started.
//!
//! A child gets a process group of its own, and standard output and error share one pipe, so that lines keep the
//! order in which they were written. The run is over when the pipe is closed *and* the child has exited: a background
//! process that inherited the pipe counts as part of the check. The child is not reaped before that, which keeps its
//! process group id from being reused while we may still have to signal it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::capture::TailBuffer;
use crate::dial::errno_text;

const READ_LEN: usize = 8 * 1024;

/// A killed process is normally gone within this time, so that one report can cover both.
const KILL_GRACE: Duration = Duration::from_millis(200);

/// The program did not start; displays as Go's `os/exec` puts it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StartError {
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotFound(String),
    #[error("fork/exec {program}: {reason}")]
    Refused { program: String, reason: String },
    #[error("pipe: {0}")]
    Pipe(String),
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    Exited(ExitStatus),
    /// Killed after the time limit; what is left of it if it does not go at once.
    TimedOut(Option<Box<Remains>>),
}

/// Runs `program` in the agent's directory and environment with no input; its output goes to `output`.
///
/// Dropping the future kills the process group.
pub async fn run(
    program: &OsStr,
    args: &[OsString],
    limit: Duration,
    permit: OwnedSemaphorePermit,
    output: &mut TailBuffer,
) -> Result<Ended, StartError> {
    let (mut group, mut pipe) = spawn(program, args)?;
    let finished = timeout(limit, async {
        drain(&mut pipe, output).await;
        group.child.wait().await
    })
    .await;
    if let Ok(Ok(status)) = finished {
        group.disarm();
        return Ok(Ended::Exited(status));
    }
    group.kill();
    drop(pipe);
    if timeout(KILL_GRACE, group.child.wait()).await.is_ok() {
        group.disarm();
        return Ok(Ended::TimedOut(None));
    }
    Ok(Ended::TimedOut(Some(Box::new(Remains { group, _permit: permit }))))
}

fn spawn(program: &OsStr, args: &[OsString]) -> Result<(Group, pipe::Receiver), StartError> {
    let pipe_error = |error: io::Error| StartError::Pipe(errno_text(&error));
    let (reader, writer) = io::pipe().map_err(pipe_error)?;
    let writer_too = writer.try_clone().map_err(pipe_error)?;
    let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(pipe_error)?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(writer).stderr(writer_too).process_group(0);
    let child = command.spawn().map_err(|error| start_error(program, &error))?;
    // The command still holds our ends of the pipe: it would never report its end while they are open.
    drop(command);
    Ok((Group::new(child), receiver))
}

fn start_error(program: &OsStr, error: &io::Error) -> StartError {
    let program = program.to_string_lossy().into_owned();
    if error.kind() == io::ErrorKind::NotFound && !program.is_empty() && !program.contains('/') {
        return StartError::NotFound(program);
    }
    StartError::Refused { program, reason: errno_text(error) }
}

async fn drain(pipe: &mut pipe::Receiver, output: &mut TailBuffer) {
    let mut chunk = vec![0; READ_LEN];
    while let Ok(len @ 1..) = pipe.read(&mut chunk).await {
        output.push(chunk.get(..len).unwrap_or_default());
    }
}

/// A child and its process group; kills them when dropped, unless it was told that they are gone.
#[derive(Debug)]
struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    fn new(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Self { child, id }
    }

    fn kill(&self) {
        if let Some(id) = self.id {
            // The only failure is that nobody is left in the group.
            let _ = killpg(id, Signal::SIGKILL);
        }
    }

    /// Called once the child is reaped: from now on its id may belong to someone else.
    fn disarm(&mut self) {
        self.id = None;
    }
}

impl Drop for Group {
    /// The runtime reaps a child that is dropped unreaped, so no zombie stays.
    fn drop(&mut self) {
        self.kill();
    }
}

/// A killed process that the system has not removed yet. It keeps its place among the running scripts.
#[derive(Debug)]
pub struct Remains {
    group: Group,
    _permit: OwnedSemaphorePermit,
}

impl Remains {
    /// Waits until the process is really gone.
    pub async fn gone(mut self) {
        if self.group.child.wait().await.is_ok() {
            self.group.disarm();
        }
    }
}
