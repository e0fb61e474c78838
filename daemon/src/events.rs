//! User events that this agent has seen: the newest 256, oldest first.

use std::collections::VecDeque;

use consul_api::types::event::UserEvent;
use parking_lot::Mutex;
use tokio::sync::watch;

/// How many events are kept.
const KEPT: usize = 256;

/// The ring, and a way to wait for the next event.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<VecDeque<UserEvent>>,
    seen: watch::Sender<u64>,
    clock: Mutex<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self { ring: Mutex::default(), seen: watch::Sender::new(0), clock: Mutex::new(1) }
    }
}

impl Events {
    /// The next Lamport time; the first event of a pool has 2.
    pub fn next_ltime(&self) -> u64 {
        let mut clock = self.clock.lock();
        *clock += 1;
        *clock
    }

    pub fn push(&self, event: UserEvent) {
        let mut ring = self.ring.lock();
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(event);
        drop(ring);
        self.seen.send_modify(|count| *count += 1);
    }

    /// All kept events, or those of one name.
    pub fn list(&self, name: Option<&str>) -> Vec<UserEvent> {
        let ring = self.ring.lock();
        ring.iter().filter(|event| name.is_none_or(|name| event.name == name)).cloned().collect()
    }

    /// Changes with every event. Subscribe before listing, so that none is missed in between.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.seen.subscribe()
    }
}

/// The index of a list: both halves of its last event's id, combined. Compared for equality only.
pub fn index_of(events: &[UserEvent]) -> u64 {
    let Some(last) = events.last() else { return 1 };
    let digits: String = last.id.chars().filter(|c| *c != '-').collect();
    let half = |range| digits.get(range).and_then(|part| u64::from_str_radix(part, 16).ok()).unwrap_or(0);
    half(0..16) ^ half(16..32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> UserEvent {
        UserEvent {
            name: name.into(),
            id: "00000000-0000-0001-0000-000000000003".into(),
            ..UserEvent::default()
        }
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let events = Events::default();
        for number in 0..300 {
            events.push(event(&number.to_string()));
        }
        let kept = events.list(None);
        assert_eq!((kept.len(), kept[0].name.as_str(), kept[255].name.as_str()), (256, "44", "299"));
        assert_eq!(events.list(Some("50")).len(), 1);
    }

    #[test]
    fn index_combines_the_halves_of_the_last_id() {
        assert_eq!(index_of(&[]), 1);
        assert_eq!(index_of(&[event("a")]), 1 ^ 3);
    }
}
