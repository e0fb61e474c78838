//! Intents about members we do not know yet.
//!
//! A join or leave intent may overtake the message that introduces its member. It is kept for a while and applied
//! when the member appears. Anybody can name members that never existed, so the buffer is bounded in number as well
//! as in time.

use std::collections::HashMap;
use std::time::Duration;

use crate::lamport::LamportTime;
use crate::time::Time;

/// What a member said, or somebody said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntentKind {
    /// It is in the pool on purpose.
    Join,
    /// It is leaving, or an operator removed it.
    Leave,
}

/// One buffered intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// What was said.
    pub kind: IntentKind,
    /// When, on the member clock.
    pub at: LamportTime,
}

#[derive(Debug)]
struct Entry {
    intent: Intent,
    heard: Time,
}

/// The latest intent for each unknown name.
#[derive(Debug)]
pub struct RecentIntents {
    entries: HashMap<String, Entry>,
    capacity: usize,
}

impl RecentIntents {
    /// A buffer of at most `capacity` names.
    pub fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), capacity }
    }

    /// Records an intent unless one at least as new is known, or the buffer is full. Answers whether it was news
    /// and so worth passing on.
    pub fn record(&mut self, name: &str, intent: Intent, now: Time) -> bool {
        if let Some(known) = self.entries.get_mut(name) {
            if intent.at <= known.intent.at {
                return false;
            }
            *known = Entry { intent, heard: now };
            return true;
        }
        if self.entries.len() >= self.capacity {
            return false;
        }
        self.entries.insert(name.to_owned(), Entry { intent, heard: now });
        true
    }

    /// Hands over the intent for a member that has just appeared.
    pub fn take(&mut self, name: &str) -> Option<Intent> {
        self.entries.remove(name).map(|entry| entry.intent)
    }

    /// Drops what was heard more than `age` ago.
    pub fn expire(&mut self, now: Time, age: Duration) {
        self.entries.retain(|_, entry| now.since(entry.heard) < age);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(at: u64) -> Intent {
        Intent { kind: IntentKind::Join, at: LamportTime(at) }
    }

    #[test]
    fn only_a_newer_intent_replaces_the_known_one() {
        let now = Time::default();
        let mut intents = RecentIntents::new(8);
        assert!(intents.record("a", join(5), now));
        assert!(!intents.record("a", Intent { kind: IntentKind::Leave, at: LamportTime(5) }, now));
        assert!(intents.record("a", Intent { kind: IntentKind::Leave, at: LamportTime(6) }, now));
        assert_eq!(intents.take("a"), Some(Intent { kind: IntentKind::Leave, at: LamportTime(6) }));
        assert_eq!(intents.take("a"), None);
    }

    #[test]
    fn a_flood_of_names_stays_within_the_capacity_and_is_not_passed_on() {
        let now = Time::default();
        let mut intents = RecentIntents::new(8);
        let news = (0..1000).filter(|n| intents.record(&format!("n{n}"), join(1), now)).count();
        assert_eq!((news, intents.len()), (8, 8));
    }

    #[test]
    fn old_intents_expire() {
        let now = Time::default();
        let age = Duration::from_secs(300);
        let mut intents = RecentIntents::new(8);
        intents.record("old", join(1), now);
        intents.record("new", join(1), now + Duration::from_secs(200));
        intents.expire(now + Duration::from_secs(300), age);
        assert_eq!((intents.take("old"), intents.take("new")), (None, Some(join(1))));
    }
}
