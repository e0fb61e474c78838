//! A command that runs on while a test goes on: `watch`, `monitor`, `lock`, other daemons.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::eventually;

/// A child process whose output is collected. Killed when dropped.
pub struct Background {
    child: Child,
    shown: String,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Background {
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().expect("standard output is a pipe"), lines.clone());
        collect(child.stderr.take().expect("standard error is a pipe"), lines.clone());
        Self { child, shown, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that was printed so far, on both streams.
    pub fn output(&self) -> String {
        self.lines.lock().expect("no holder of this lock panics").join("\n")
    }

    /// Waits until some line contains `text` and returns that line.
    pub async fn prints(&self, text: &str) -> String {
        eventually(&format!("{} prints {text:?}", self.shown), async || {
            let lines = self.lines.lock().expect("no holder of this lock panics");
            lines.iter().find(|line| line.contains(text)).cloned().ok_or_else(|| lines.join("\n"))
        })
        .await
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("process ids are small"));
        kill(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.shown));
    }

    /// Waits for the process to end by itself.
    pub async fn ends(&mut self) -> ExitStatus {
        let shown = self.shown.clone();
        let lines = self.lines.clone();
        eventually(&format!("{shown} ends"), async || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err((other, lines.lock().map(|lines| lines.join("\n")).unwrap_or_default())),
        })
        .await
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} printed:\n{}", self.shown, self.output());
        }
    }
}

fn collect(stream: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            lines.lock().expect("no holder of this lock panics").push(line);
        }
    });
}
