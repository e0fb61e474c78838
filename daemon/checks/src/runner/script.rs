//! Script checks: a command whose exit code is the state and whose output is shown.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use consul_api::types::duration::GoDuration;
use tokio::sync::Semaphore;

use crate::capture::TailBuffer;
use crate::outcome::{Outcome, Trouble, status_of_exit};
use crate::process::{self, Ended};

pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A command to run directly, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptCheck {
    pub program: OsString,
    pub args: Vec<OsString>,
    pub timeout: Duration,
    pub output_max: usize,
}

impl ScriptCheck {
    /// Runs once, as soon as `slots` has room; waiting for that does not count as running.
    pub async fn run(&self, slots: &Arc<Semaphore>) -> Outcome {
        let Ok(permit) = Arc::clone(slots).acquire_owned().await else {
            return Outcome::critical("agent is shutting down");
        };
        let mut output = TailBuffer::new(self.output_max);
        match process::run(&self.program, &self.args, self.timeout, permit, &mut output).await {
            Ok(Ended::Exited(status)) => {
                Outcome::new(status_of_exit(status.code().map(i64::from)), output.text_with_notice())
            }
            Ok(Ended::TimedOut(remains)) => {
                let mut outcome = self.timed_out(&output);
                outcome.remains = remains;
                outcome
            }
            Err(error) => Outcome::critical(error.to_string()).because(Trouble::NotStarted),
        }
    }

    fn timed_out(&self, output: &TailBuffer) -> Outcome {
        let mut text = format!("Timed out ({}) running check", GoDuration::from(self.timeout));
        if output.total() > 0 {
            text.push_str("\n\n");
            text.push_str(&output.text_with_notice());
        }
        Outcome::critical(text).because(Trouble::TimedOut(self.timeout))
    }
}
