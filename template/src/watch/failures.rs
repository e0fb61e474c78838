//! When to ask again, and when to give up.

use std::time::Duration;

use consul_api::types::duration::GoDuration;
use consul_template_functions::Dependency;

use super::News;
use crate::config::Retry;

/// Failures of one dependency in a row.
#[derive(Debug)]
pub struct Failures {
    retry: Retry,
    count: u32,
}

impl Failures {
    pub fn new(retry: Retry) -> Self {
        Self { retry, count: 0 }
    }

    /// Whether the last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.count > 0
    }

    /// There was an answer. True if there was none before.
    pub fn succeeded(&mut self) -> bool {
        std::mem::take(&mut self.count) > 0
    }

    /// Counts a failure, and logs it. The pause before the next attempt is at most as configured and shortened at
    /// random by up to a tenth, so that many watchers do not come back in step; none is no further attempt.
    pub fn failed(&mut self, dependency: &Dependency, why: &str) -> (News, Option<Duration>) {
        let Some(wait) = self.retry.wait_after(self.count) else {
            let limit = if self.count > 0 { " (exceeded maximum retries)" } else { "" };
            tracing::error!(target: "view", "{dependency}: {why}{limit}");
            return (News::GaveUp(dependency.clone(), format!("{dependency}: {why}{limit}")), None);
        };
        self.count = self.count.saturating_add(1);
        let shown = GoDuration::from(wait).to_string();
        tracing::warn!(target: "view", "{dependency}: {why} (retry attempt {} after {shown:?})", self.count);
        let wait = wait.mul_f64(rand::random_range(0.9..=1.0));
        (News::Failing(dependency.clone(), why.to_owned()), Some(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_counted_until_they_are_used_up() {
        let dependency = Dependency::Partitions;
        let retry = Retry {
            enabled: true,
            attempts: Some(2),
            backoff: Duration::from_secs(1),
            max_backoff: Some(Duration::from_secs(60)),
        };
        let mut failures = Failures::new(retry);
        assert!(
            matches!(failures.failed(&dependency, "x"), (News::Failing(..), Some(wait)) if wait <= Duration::from_secs(1))
        );
        assert!(
            matches!(failures.failed(&dependency, "x"), (News::Failing(..), Some(wait)) if wait > Duration::from_secs(1))
        );
        assert!(matches!(failures.failed(&dependency, "x"), (News::GaveUp(..), None)));
        assert!(failures.succeeded());
        assert!(!failures.succeeded());
        assert!(matches!(failures.failed(&dependency, "x"), (News::Failing(..), Some(_))));
        let mut never = Failures::new(Retry { enabled: false, ..retry });
        assert!(
            matches!(never.failed(&dependency, "x"), (News::GaveUp(_, why), None) if why.ends_with(": x"))
        );
    }
}
