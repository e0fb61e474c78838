//! Which of many keys is due next. No clock: time comes in as an argument.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// A set of keys with one deadline each.
#[derive(Debug)]
pub struct Deadlines<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: HashMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: HashMap::new() }
    }
}

impl<K: Clone + Ord + Hash> Deadlines<K> {
    /// Sets the deadline of `key`, in place of an earlier one.
    pub fn arm(&mut self, key: K, at: Instant) {
        if let Some(before) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(before, key.clone()));
        }
        self.by_time.insert((at, key));
    }

    pub fn disarm(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    pub fn count(&self) -> usize {
        self.by_key.len()
    }

    pub fn clear(&mut self) {
        self.by_time.clear();
        self.by_key.clear();
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    pub fn get(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).copied()
    }

    /// Removes and returns all keys whose time has come, earliest first.
    pub fn take_due(&mut self, now: Instant) -> Vec<K> {
        let mut due = Vec::new();
        while self.by_time.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, key)) = self.by_time.pop_first() {
                self.by_key.remove(&key);
                due.push(key);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_fall_due_in_order_and_only_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        deadlines.arm("b", at(2));
        deadlines.arm("a", at(1));
        deadlines.arm("c", at(3));
        assert_eq!(deadlines.next(), Some(at(1)));
        assert_eq!(deadlines.take_due(at(2)), ["a", "b"]);
        assert_eq!(deadlines.take_due(at(2)), Vec::<&str>::new());
        assert_eq!(deadlines.next(), Some(at(3)));
    }

    #[test]
    fn arming_again_moves_and_disarming_removes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        deadlines.arm("a", at(1));
        deadlines.arm("a", at(5));
        assert_eq!(deadlines.take_due(at(4)), Vec::<&str>::new());
        deadlines.disarm(&"a");
        assert_eq!(deadlines.next(), None);
    }
}
