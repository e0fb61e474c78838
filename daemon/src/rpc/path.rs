//! Where a request runs: here, on the leader, on another server, or in another datacenter.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, sleep};

use super::{Consistency, RpcError};

/// Whom a request needs within its datacenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Leader,
    /// Any server that is up to date as far as it knows.
    AnyServer,
}

impl From<Consistency> for Need {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Stale { .. } => Self::AnyServer,
            Consistency::Default | Consistency::Consistent => Self::Leader,
        }
    }
}

/// What may be tried again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Asking twice changes nothing.
    Always,
    /// Only what certainly did not happen.
    IfNotSent,
}

/// How long and how often a request is tried while there is no leader or its server does not answer.
pub struct Patience {
    until: Instant,
    pause: Duration,
}

/// The first pauses are short, because an election is.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

impl Patience {
    pub fn new(hold: Duration) -> Self {
        Self { until: Instant::now() + hold, pause: FIRST_PAUSE }
    }

    /// Waits before the next attempt, or hands back the failure once it has taken too long or can't get better.
    pub async fn after(&mut self, failure: RpcError, repeat: Repeat) -> Result<(), RpcError> {
        if !may_pass(&failure, repeat) || Instant::now() >= self.until {
            return Err(failure);
        }
        sleep(self.pause.mul_f64(rand::rng().random_range(0.5..1.0))).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn may_pass(failure: &RpcError, repeat: Repeat) -> bool {
    match failure {
        RpcError::NoLeader => true,
        RpcError::Unanswered { sent, .. } => !sent || repeat == Repeat::Always,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_until_the_time_is_up() {
        let mut patience = Patience::new(Duration::from_secs(7));
        let started = Instant::now();
        let mut attempts = 0;
        while patience.after(RpcError::NoLeader, Repeat::IfNotSent).await.is_ok() {
            attempts += 1;
        }
        assert!(started.elapsed() >= Duration::from_secs(7) && started.elapsed() < Duration::from_secs(8));
        assert!((20..100).contains(&attempts), "{attempts}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_may_have_happened_is_not_repeated() {
        let unanswered =
            |sent| RpcError::Unanswered { server: "s1".into(), reason: "connection reset".into(), sent };
        let mut patience = Patience::new(Duration::from_secs(7));
        assert!(patience.after(unanswered(true), Repeat::IfNotSent).await.is_err());
        assert!(patience.after(unanswered(false), Repeat::IfNotSent).await.is_ok());
        assert!(patience.after(unanswered(true), Repeat::Always).await.is_ok());
        assert!(patience.after(RpcError::PermissionDenied, Repeat::Always).await.is_err());
    }
}
