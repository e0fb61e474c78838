//! Holds a check's state back until enough runs in a row agree.
//!
//! Without I/O or clock: results go in, a decision comes out. The caller applies it and logs it.

use consul_api::types::health::Status;

/// How many runs in a row it takes to change the state. Zero and one both mean: each run counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    pub success_before_passing: u32,
    /// At most `failures_before_critical`; equal to it where the definition does not say.
    pub failures_before_warning: u32,
    pub failures_before_critical: u32,
}

/// What to do with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Store this state together with the output.
    Apply(Status),
    /// A good result, but too few of them yet: nothing changes.
    HoldSuccess { count: u32, threshold: u32 },
    /// A bad result, but too few of them yet: nothing changes.
    HoldFailure { count: u32, threshold: u32 },
}

/// Counts the results of one check.
#[derive(Clone, Copy, Debug)]
pub struct ThresholdCounter {
    thresholds: Thresholds,
    successes: u32,
    failures: u32,
}

impl ThresholdCounter {
    /// Both counters start satisfied, so that the very first result is shown at once.
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            successes: thresholds.success_before_passing,
            failures: thresholds.failures_before_critical,
        }
    }

    pub fn count(&mut self, status: Status) -> Verdict {
        match status {
            Status::Passing | Status::Warning => self.count_success(status),
            Status::Critical => self.count_failure(),
        }
    }

    fn count_success(&mut self, status: Status) -> Verdict {
        self.successes = self.successes.saturating_add(1);
        self.failures = 0;
        let threshold = self.thresholds.success_before_passing;
        if self.successes >= threshold {
            return Verdict::Apply(status);
        }
        Verdict::HoldSuccess { count: self.successes, threshold }
    }

    fn count_failure(&mut self) -> Verdict {
        self.failures = self.failures.saturating_add(1);
        self.successes = 0;
        if self.failures >= self.thresholds.failures_before_critical {
            return Verdict::Apply(Status::Critical);
        }
        if self.failures >= self.thresholds.failures_before_warning {
            return Verdict::Apply(Status::Warning);
        }
        let threshold = self.thresholds.failures_before_warning;
        Verdict::HoldFailure { count: self.failures, threshold }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::*;
    use super::*;
    use Status::*;

    fn counter(success: u32, warning: u32, critical: u32) -> ThresholdCounter {
        ThresholdCounter::new(Thresholds {
            success_before_passing: success,
            failures_before_warning: warning,
            failures_before_critical: critical,
        })
    }

    #[test]
    fn first_result_counts_at_once_whatever_the_thresholds() {
        assert_eq!(counter(5, 5, 5).count(Critical), Apply(Critical));
        assert_eq!(counter(5, 5, 5).count(Passing), Apply(Passing));
        assert_eq!(counter(5, 2, 5).count(Critical), Apply(Critical));
    }

    #[test]
    fn zero_and_one_apply_each_run() {
        for threshold in [0, 1] {
            let mut check = counter(threshold, threshold, threshold);
            for status in [Passing, Critical, Warning, Critical, Passing] {
                assert_eq!(check.count(status), Apply(status));
            }
        }
    }

    #[test]
    fn third_failure_in_a_row_flips_with_threshold_three() {
        let mut check = counter(2, 3, 3);
        assert_eq!(check.count(Passing), Apply(Passing));
        assert_eq!(check.count(Critical), HoldFailure { count: 1, threshold: 3 });
        assert_eq!(check.count(Critical), HoldFailure { count: 2, threshold: 3 });
        assert_eq!(check.count(Critical), Apply(Critical));
        assert_eq!(check.count(Critical), Apply(Critical));
        assert_eq!(check.count(Passing), HoldSuccess { count: 1, threshold: 2 });
        assert_eq!(check.count(Passing), Apply(Passing));
    }

    #[test]
    fn one_success_starts_the_failures_over() {
        let mut check = counter(0, 2, 2);
        assert_eq!(check.count(Passing), Apply(Passing));
        assert_eq!(check.count(Critical), HoldFailure { count: 1, threshold: 2 });
        assert_eq!(check.count(Passing), Apply(Passing));
        assert_eq!(check.count(Critical), HoldFailure { count: 1, threshold: 2 });
    }

    #[test]
    fn warning_and_passing_are_both_successes() {
        let mut check = counter(2, 0, 0);
        assert_eq!(check.count(Critical), Apply(Critical));
        assert_eq!(check.count(Warning), HoldSuccess { count: 1, threshold: 2 });
        assert_eq!(check.count(Passing), Apply(Passing));
        assert_eq!(check.count(Warning), Apply(Warning));
    }

    #[test]
    fn between_the_two_failure_thresholds_the_check_warns() {
        let mut check = counter(0, 2, 4);
        assert_eq!(check.count(Passing), Apply(Passing));
        assert_eq!(check.count(Critical), HoldFailure { count: 1, threshold: 2 });
        assert_eq!(check.count(Critical), Apply(Warning));
        assert_eq!(check.count(Critical), Apply(Warning));
        assert_eq!(check.count(Critical), Apply(Critical));
    }
}
