//! The timer of a template whose data is settling.

use std::time::Instant;

use crate::config::Wait;

/// Runs out when nothing changed for the shorter wait, at the latest the longer wait after the first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    pub due: Instant,
    deadline: Instant,
}

impl Quiet {
    /// Notes a change.
    pub fn tick(running: Option<Self>, wait: Wait, now: Instant) -> Self {
        let deadline = running.map_or(now + wait.max, |running| running.deadline);
        Self { due: (now + wait.min).min(deadline), deadline }
    }
}
