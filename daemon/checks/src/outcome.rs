//! What one run of a check says.

use std::time::Duration;

use consul_api::types::health::Status;

use crate::process::Remains;

/// Result of one run.
#[derive(Debug)]
pub struct Outcome {
    pub status: Status,
    pub output: String,
    pub trouble: Option<Trouble>,
    /// A killed process that is not gone yet: the next run has to wait for it.
    pub remains: Option<Box<Remains>>,
}

/// Something that deserves a log line of its own besides the state it led to. The error text is the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A script ran longer than allowed. Such a result is applied without asking the thresholds.
    TimedOut(Duration),
    /// The program of a script check could not be started.
    NotStarted,
    /// No HTTP answer.
    RequestFailed,
    /// No connection.
    ConnectionFailed,
    /// The container engine refused or failed.
    EngineFailed,
}

impl Outcome {
    pub fn new(status: Status, output: impl Into<String>) -> Self {
        Self { status, output: output.into(), trouble: None, remains: None }
    }

    pub fn passing(output: impl Into<String>) -> Self {
        Self::new(Status::Passing, output)
    }

    pub fn critical(output: impl Into<String>) -> Self {
        Self::new(Status::Critical, output)
    }

    pub fn because(mut self, trouble: Trouble) -> Self {
        self.trouble = Some(trouble);
        self
    }
}

/// State that a command's exit code stands for; none if a signal ended it.
pub fn status_of_exit(code: Option<i64>) -> Status {
    match code {
        Some(0) => Status::Passing,
        Some(1) => Status::Warning,
        _ => Status::Critical,
    }
}
