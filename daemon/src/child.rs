//! Programs that the agent starts: watch handlers and remote execution.
//!
//! A child gets a process group of its own, and its output and errors share one pipe, so that lines keep their order.
//! Dropping a child that runs kills the whole group; what a child left behind when it ended by itself is let be.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// How long output is still read once the child is gone: somebody in the background may hold the pipe for good.
const LINGER: Duration = Duration::from_millis(500);

/// Runs where `SHELL` is not set.
const SHELL_DEFAULT: &str = "/bin/sh";

/// A program with its arguments.
#[derive(Clone)]
pub struct Program {
    path: OsString,
    args: Vec<OsString>,
}

impl Program {
    /// `line` as the shell understands it.
    pub fn shell(line: &str) -> Self {
        let path = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        Self { path: path.unwrap_or_else(|| SHELL_DEFAULT.into()), args: vec!["-c".into(), line.into()] }
    }

    /// The first is the program.
    pub fn args(words: &[String]) -> Self {
        let mut words = words.iter().map(OsString::from);
        Self { path: words.next().unwrap_or_default(), args: words.collect() }
    }

    /// For logs; arguments may hold secrets.
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

/// The program did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotFound(String),
    #[error("could not start {program}: {source}")]
    Refused { program: String, source: io::Error },
    #[error("could not make a pipe: {0}")]
    Pipe(io::Error),
}

/// What a child did.
#[derive(Debug)]
pub enum Event {
    /// So many bytes of output were read.
    Output(usize),
    /// It ended; nothing more comes.
    Exited(ExitStatus),
}

pub struct Child {
    process: tokio::process::Child,
    /// While the child is not reaped: later its id may belong to someone else.
    group: Option<Pid>,
    output: pipe::Receiver,
    output_open: bool,
    ended: Option<(ExitStatus, Instant)>,
    feeder: Option<AbortHandle>,
}

impl Child {
    /// Starts `program` with the agent's environment and `env`. Without `input` it reads nothing.
    pub fn start(
        program: &Program,
        env: &[(&str, String)],
        input: Option<Vec<u8>>,
    ) -> Result<Self, StartError> {
        let (reader, writer) = io::pipe().map_err(StartError::Pipe)?;
        let writer_too = writer.try_clone().map_err(StartError::Pipe)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(StartError::Pipe)?;
        let mut command = Command::new(&program.path);
        command.args(&program.args).stdout(writer).stderr(writer_too).process_group(0);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let mut process = command.spawn().map_err(|source| start_error(program, source))?;
        // The command holds our ends of the pipe: it would never report its end while they are open.
        drop(command);
        let group = process.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let feeder = process.stdin.take().zip(input).map(|(mut stdin, input)| {
            tokio::spawn(async move {
                // A child that does not read its input has its reasons.
                let _ = stdin.write_all(&input).await;
            })
            .abort_handle()
        });
        Ok(Self { process, group, output, output_open: true, ended: None, feeder })
    }

    /// Waits for output, which goes into `chunk`, or for the end. Nothing is lost if the future is dropped.
    pub async fn next(&mut self, chunk: &mut [u8]) -> Event {
        loop {
            if let Some((status, _)) = self.ended.filter(|_| !self.output_open) {
                return Event::Exited(status);
            }
            let linger = self.ended.map_or_else(Instant::now, |(_, at)| at + LINGER);
            tokio::select! {
                biased;
                read = self.output.read(chunk), if self.output_open => match read {
                    Ok(length @ 1..) => return Event::Output(length),
                    _ => self.output_open = false,
                },
                waited = self.process.wait(), if self.ended.is_none() => {
                    self.group = None;
                    // Waiting for one's own child fails only if somebody else has reaped it.
                    self.ended = Some((waited.unwrap_or_default(), Instant::now()));
                }
                () = tokio::time::sleep_until(linger), if self.ended.is_some() => self.output_open = false,
            }
        }
    }
}

fn start_error(program: &Program, source: io::Error) -> StartError {
    let name = program.name();
    if source.kind() == io::ErrorKind::NotFound && !name.contains('/') {
        return StartError::NotFound(name);
    }
    StartError::Refused { program: name, source }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(feeder) = &self.feeder {
            feeder.abort();
        }
        if let Some(group) = self.group {
            // The only failure is that nobody is left in the group. The runtime reaps the child.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn finish(mut child: Child) -> (String, ExitStatus) {
        let mut output = Vec::new();
        let mut chunk = [0; 64];
        loop {
            match child.next(&mut chunk).await {
                Event::Output(length) => output.extend_from_slice(&chunk[..length]),
                Event::Exited(status) => return (String::from_utf8(output).unwrap(), status),
            }
        }
    }

    #[tokio::test]
    async fn input_environment_and_both_outputs_are_connected() {
        let program = Program::shell("cat; echo $WHAT >&2; exit 3");
        let child = Child::start(&program, &[("WHAT", "more".into())], Some(b"input ".to_vec())).unwrap();
        let (output, status) = finish(child).await;
        assert_eq!((output.as_str(), status.code()), ("input more\n", Some(3)));
    }

    #[tokio::test]
    async fn a_process_in_the_background_does_not_hold_the_end_up() {
        let child = Child::start(&Program::shell("sleep 30 & echo $!"), &[], None).unwrap();
        let (output, status) = finish(child).await;
        assert!(status.success());
        let left_behind = Pid::from_raw(output.trim().parse().unwrap());
        assert_eq!(nix::sys::signal::kill(left_behind, Signal::SIGKILL), Ok(()));
    }

    #[tokio::test]
    async fn dropping_a_child_kills_its_group() {
        let mut child = Child::start(&Program::shell("echo $$; sleep 30 & wait"), &[], None).unwrap();
        let mut chunk = [0; 64];
        let Event::Output(length) = child.next(&mut chunk).await else { unreachable!("it writes first") };
        let group = Pid::from_raw(String::from_utf8_lossy(&chunk[..length]).trim().parse().unwrap());
        drop(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while killpg(group, None).is_ok() {
            assert!(Instant::now() < deadline, "the group is still there");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn an_unknown_program_is_named() {
        let error = Child::start(&Program::args(&["no-such-program-here".into()]), &[], None).err().unwrap();
        assert_eq!(error.to_string(), "exec: \"no-such-program-here\": executable file not found in $PATH");
    }
}
