//! Random pauses, so that servers do not act in step.

use std::time::Duration;

use rand::Rng;

/// A random time below `limit`.
pub(crate) fn below(limit: Duration) -> Duration {
    limit.mul_f64(rand::rng().random())
}
