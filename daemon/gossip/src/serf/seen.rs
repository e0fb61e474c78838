//! What was heard before: events and queries reach every member many times over and must count once.
//!
//! A ring with one slot for each of the last Lamport times. What is older than the ring is refused outright, because
//! nobody can tell any more whether it was seen.

use crate::lamport::LamportTime;

/// Items of one Lamport time that are told apart. Honest members rarely share a time at all; a hostile one could
/// otherwise fill memory within a single slot.
const SLOT_MAX: usize = 128;

/// Why a message is not delivered, or that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not heard before.
    New,
    /// Heard before.
    Duplicate,
    /// So old that the ring no longer knows.
    TooOld,
    /// More messages claim this time than we keep apart.
    SlotFull,
}

/// One slot: all items of one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot<T> {
    /// The time all items share.
    pub at: LamportTime,
    /// The items, in the order they came.
    pub items: Vec<T>,
}

/// The last messages of one kind.
#[derive(Debug)]
pub struct Seen<T> {
    slots: Vec<Option<Slot<T>>>,
}

impl<T: PartialEq> Seen<T> {
    /// A ring that remembers `depth` Lamport times, at least one.
    pub fn new(depth: usize) -> Self {
        Self { slots: std::iter::repeat_with(|| None).take(depth.max(1)).collect() }
    }

    /// Records an item heard at `at` while the clock, which has witnessed `at`, shows `clock`.
    pub fn record(&mut self, clock: LamportTime, at: LamportTime, item: T) -> Verdict {
        let depth = self.slots.len() as u64;
        if clock.0 > depth && at.0 < clock.0 - depth {
            return Verdict::TooOld;
        }
        let Some(slot) = usize::try_from(at.0 % depth).ok().and_then(|index| self.slots.get_mut(index))
        else {
            return Verdict::TooOld;
        };
        match slot {
            Some(known) if known.at == at => {
                if known.items.contains(&item) {
                    return Verdict::Duplicate;
                }
                if known.items.len() >= SLOT_MAX {
                    return Verdict::SlotFull;
                }
                known.items.push(item);
            }
            // Newer than `at` cannot be: the age check above refused it.
            _ => *slot = Some(Slot { at, items: vec![item] }),
        }
        Verdict::New
    }

    /// The ring as it stands, slot by slot.
    pub fn slots(&self) -> &[Option<Slot<T>>] {
        &self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(at: u64) -> LamportTime {
        LamportTime(at)
    }

    #[test]
    fn an_item_counts_once_and_items_of_one_time_are_told_apart() {
        let mut seen = Seen::new(4);
        assert_eq!(seen.record(t(2), t(1), "a"), Verdict::New);
        assert_eq!(seen.record(t(2), t(1), "a"), Verdict::Duplicate);
        assert_eq!(seen.record(t(2), t(1), "b"), Verdict::New);
        assert_eq!(seen.record(t(3), t(2), "a"), Verdict::New);
    }

    #[test]
    fn what_fell_out_of_the_ring_is_refused_rather_than_delivered_again() {
        let mut seen = Seen::new(4);
        assert_eq!(seen.record(t(2), t(1), "a"), Verdict::New);
        assert_eq!(seen.record(t(6), t(5), "e"), Verdict::New);
        assert_eq!(seen.record(t(6), t(1), "a"), Verdict::TooOld);
        assert_eq!(seen.record(t(6), t(2), "late but known to be new"), Verdict::New);
    }

    #[test]
    fn one_time_holds_a_bounded_number_of_items() {
        let mut seen = Seen::new(4);
        let new = (0..10_000).filter(|n| seen.record(t(2), t(1), *n) == Verdict::New).count();
        assert_eq!(new, SLOT_MAX);
    }
}
