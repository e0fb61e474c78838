//! Which keys are in use.

use rand::Rng;

/// Keys at a time: few, so that clients meet.
const SLOTS: usize = 3;
/// Operations on a key before the next takes its place.
const OPERATIONS_MAX: usize = 300;
/// Each unknown outcome doubles what a search may have to try.
const UNKNOWN_MAX: usize = 12;

pub struct Keys {
    slots: [Slot; SLOTS],
    named: usize,
}

struct Slot {
    name: String,
    operations: usize,
    unknown: usize,
}

impl Slot {
    fn new(number: usize) -> Self {
        Self { name: format!("register/{number}"), operations: 0, unknown: 0 }
    }
}

impl Keys {
    pub fn new() -> Self {
        Self { slots: std::array::from_fn(Slot::new), named: SLOTS }
    }

    /// A key for one more operation.
    pub fn pick(&mut self, rng: &mut impl Rng) -> String {
        let slot = &mut self.slots[rng.random_range(0..SLOTS)];
        if slot.operations >= OPERATIONS_MAX || slot.unknown >= UNKNOWN_MAX {
            *slot = Slot::new(self.named);
            self.named += 1;
        }
        slot.operations += 1;
        slot.name.clone()
    }

    /// A write to this key has an unknown outcome.
    pub fn unknown(&mut self, name: &str) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.name == name) {
            slot.unknown += 1;
        }
    }
}
