//! The command line, run to its end.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a command left behind.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Panics unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.code == 0, "exit code {}\n{}{}", self.code, self.stdout, self.stderr);
        self
    }

    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// Longer than any command here takes; one that hangs must fail its test, not the whole run.
const LIMIT: Duration = Duration::from_secs(90);

/// Runs `command` with `input` on its standard input.
pub async fn run(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let shown = format!("{:?}", command.as_std());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let feed = async {
        // A command may end without reading what it was given.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let both = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(LIMIT, both).await.unwrap_or_else(|_| panic!("{shown}: still running"));
    let output = output.unwrap_or_else(|error| panic!("{shown}: {error}"));
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
