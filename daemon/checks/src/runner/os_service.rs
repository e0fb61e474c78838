//! Checks of a service of the operating system: asks systemd through `systemctl is-active`.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::capture::TailBuffer;
use crate::outcome::{Outcome, Trouble};
use crate::process::{self, Ended};

pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// One word (`active`, `failed`), or a complaint that fits in a line or two.
const ANSWER_LEN_MAX: usize = 512;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsServiceCheck {
    /// Unit name; systemd adds `.service` if it has no suffix.
    pub service: String,
    pub timeout: Duration,
}

impl OsServiceCheck {
    /// `systemctl` is the program to ask, by name or path.
    pub async fn run(&self, systemctl: &OsStr, slots: &Arc<Semaphore>) -> Outcome {
        let Ok(permit) = Arc::clone(slots).acquire_owned().await else {
            return Outcome::critical("agent is shutting down");
        };
        // The dashes keep a name that starts with one from being read as an option.
        let args = ["is-active", "--", &self.service].map(OsString::from);
        let mut answer = TailBuffer::new(ANSWER_LEN_MAX);
        match process::run(systemctl, &args, self.timeout, permit, &mut answer).await {
            Ok(Ended::Exited(status)) if status.success() => {
                Outcome::passing(format!("Service {:?} is healthy", self.service))
            }
            Ok(Ended::Exited(_)) => {
                let state = answer.text();
                Outcome::critical(format!("Service {:?} is not healthy: {}", self.service, state.trim()))
            }
            Ok(Ended::TimedOut(remains)) => {
                let mut outcome =
                    Outcome::critical(format!("Service {:?} could not be queried in time", self.service))
                        .because(Trouble::TimedOut(self.timeout));
                outcome.remains = remains;
                outcome
            }
            Err(error) => Outcome::critical(error.to_string()).because(Trouble::NotStarted),
        }
    }
}
