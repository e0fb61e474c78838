//! Profiles of this process in the formats that Go's tools read.
//!
//! They tell what can be known without instrumenting the program: its threads with the processor time they used, and
//! the memory it occupies. That is enough to see which part of an agent is busy, and `consul debug` gets files that
//! `go tool pprof` opens.

pub mod pprof;
pub mod text;

use std::time::Duration;

use crate::host::threads::Thread;

/// What each thread used between two looks at them, the busiest first. Threads that were idle are left out.
pub fn usage_between(before: &[Thread], after: &[Thread]) -> Vec<(String, Duration)> {
    let used_before =
        |id| before.iter().find(|thread| thread.id == id).map_or(Duration::ZERO, |thread| thread.used);
    let mut usage: Vec<(String, Duration)> = Vec::new();
    for thread in after {
        let used = thread.used.saturating_sub(used_before(thread.id));
        if used.is_zero() {
            continue;
        }
        match usage.iter_mut().find(|(name, _)| *name == thread.name) {
            Some((_, sum)) => *sum += used,
            None => usage.push((thread.name.clone(), used)),
        }
    }
    usage.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    usage
}

/// An execution trace without events: its header.
pub const EMPTY_TRACE: &[u8] = b"go 1.11 trace\0\0\0";

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(id: u64, name: &str, ms: u64) -> Thread {
        Thread { id, name: name.into(), state: 'S', used: Duration::from_millis(ms) }
    }

    #[test]
    fn threads_of_one_name_are_added_up_and_idle_ones_left_out() {
        let before = [thread(1, "main", 100), thread(2, "worker", 50), thread(3, "idle", 7)];
        let after =
            [thread(1, "main", 110), thread(2, "worker", 80), thread(3, "idle", 7), thread(4, "worker", 20)];
        let expected = [
            ("worker".to_owned(), Duration::from_millis(50)),
            ("main".to_owned(), Duration::from_millis(10)),
        ];
        assert_eq!(usage_between(&before, &after), expected);
    }
}
