//! A persistent ordered map from byte strings, as a radix tree.
//!
//! Why not the B-tree that serves elsewhere: there, each comparison of a lookup follows a pointer to another key, some
//! seventeen for a hundred thousand keys, and each write copies nodes of 64 entries, with a reference count to raise
//! in as many places. Here a lookup reads one byte of the key per node and compares once, at the end, and a write
//! copies a handful of small nodes. Measured on 100,000 keys it is several times faster at both.
//!
//! A node does not hold the bytes that its keys share, only how many they are; a lookup that arrives at an entry
//! compares the whole key. Nothing here recurses: keys come from outside, and a chain of keys that each extend the
//! last makes a tree as deep as it is long.

use std::sync::Arc;

/// A value that knows its key. Cloning must be cheap.
pub(crate) trait Keyed: Clone {
    fn key(&self) -> &[u8];
}

#[derive(Clone)]
pub(crate) struct RadixMap<V: Keyed> {
    root: Option<Slot<V>>,
    len: usize,
}

/// A way down from a node: the byte that leads here, and what it leads to.
#[derive(Clone)]
enum Slot<V: Keyed> {
    Leaf(u8, V),
    Node(u8, Arc<Node<V>>),
}

#[derive(Clone)]
struct Node<V: Keyed> {
    /// How many bytes all keys below have in common; the next one tells them apart.
    depth: usize,
    /// The value whose key ends here.
    here: Option<V>,
    /// Sorted by their bytes. A node has at least two of these, or one besides `here`.
    slots: Vec<Slot<V>>,
}

impl<V: Keyed> Default for RadixMap<V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<V: Keyed> Slot<V> {
    fn label(&self) -> u8 {
        match self {
            Self::Leaf(label, _) | Self::Node(label, _) => *label,
        }
    }

    fn with_label(self, label: u8) -> Self {
        match self {
            Self::Leaf(_, value) => Self::Leaf(label, value),
            Self::Node(_, node) => Self::Node(label, node),
        }
    }

    /// Some value below; they all share the bytes before the node.
    fn any(&self) -> Option<&V> {
        let mut slot = self;
        loop {
            match slot {
                Self::Leaf(_, value) => return Some(value),
                Self::Node(_, node) => match &node.here {
                    Some(value) => return Some(value),
                    None => slot = node.slots.first()?,
                },
            }
        }
    }
}

impl<V: Keyed> Node<V> {
    fn position(&self, label: u8) -> Result<usize, usize> {
        self.slots.binary_search_by_key(&label, Slot::label)
    }

    fn child(&self, label: u8) -> Option<&Slot<V>> {
        self.slots.get(self.position(label).ok()?)
    }
}

impl<V: Keyed> RadixMap<V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, key: &[u8]) -> Option<&V> {
        let mut slot = self.root.as_ref()?;
        let found = loop {
            match slot {
                Slot::Leaf(_, value) => break value,
                Slot::Node(_, node) => match key.get(node.depth) {
                    Some(label) => slot = node.child(*label)?,
                    None => break node.here.as_ref()?,
                },
            }
        };
        (found.key() == key).then_some(found)
    }

    /// Stores `value` under its key and returns what was there.
    pub fn insert(&mut self, value: V) -> Option<V> {
        let Some(neighbour) = self.neighbour(value.key()) else {
            self.root = Some(Slot::Leaf(0, value));
            self.len += 1;
            return None;
        };
        let shared = shared_len(neighbour.key(), value.key());
        let neighbour_label = neighbour.key().get(shared).copied();
        let mut slot = self.root.as_mut()?;
        loop {
            let belongs_inside = match slot {
                Slot::Node(_, node) => node.depth <= shared,
                Slot::Leaf(_, present) => present.key() == value.key(),
            };
            if !belongs_inside {
                split(slot, shared, neighbour_label, value);
                self.len += 1;
                return None;
            }
            let node = match slot {
                Slot::Leaf(_, present) => return Some(std::mem::replace(present, value)),
                Slot::Node(_, node) => Arc::make_mut(node),
            };
            let Some(label) = value.key().get(node.depth).copied() else {
                let before = node.here.replace(value);
                self.len += usize::from(before.is_none());
                return before;
            };
            match node.position(label) {
                Ok(at) => slot = node.slots.get_mut(at)?,
                Err(at) => {
                    node.slots.insert(at, Slot::Leaf(label, value));
                    self.len += 1;
                    return None;
                }
            }
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.get(key)?;
        self.len -= 1;
        if matches!(self.root, Some(Slot::Leaf(..))) {
            let Some(Slot::Leaf(_, value)) = self.root.take() else { return None };
            return Some(value);
        }
        let mut slot = self.root.as_mut()?;
        loop {
            let Slot::Node(_, node) = &mut *slot else { return None };
            let node = Arc::make_mut(node);
            let next = match key.get(node.depth) {
                Some(label) => Some(node.position(*label).ok()?),
                None => None,
            };
            let goes_on = next.filter(|at| matches!(node.slots.get(*at), Some(Slot::Node(..))));
            if goes_on.is_none() {
                let removed = match next.map(|at| node.slots.remove(at)) {
                    None => node.here.take(),
                    Some(Slot::Leaf(_, value)) => Some(value),
                    Some(Slot::Node(..)) => None,
                };
                collapse(slot);
                return removed;
            }
            let Slot::Node(_, node) = slot else { return None };
            slot = Arc::make_mut(node).slots.get_mut(goes_on?)?;
        }
    }

    /// All values in byte order of their keys.
    pub fn iter(&self) -> Iter<'_, V> {
        self.under(b"")
    }

    /// Values whose keys start with `prefix`, in byte order.
    pub fn under(&self, prefix: &[u8]) -> Iter<'_, V> {
        let mut pending = Vec::new();
        pending.extend(self.subtree(prefix).map(Step::Slot));
        Iter { pending }
    }

    /// The smallest subtree that holds every key with `prefix`, if there is any such key.
    fn subtree(&self, prefix: &[u8]) -> Option<&Slot<V>> {
        let mut slot = self.root.as_ref()?;
        while let Slot::Node(_, node) = slot
            && let Some(label) = prefix.get(node.depth)
        {
            slot = node.child(*label)?;
        }
        slot.any()?.key().starts_with(prefix).then_some(slot)
    }

    /// A value whose key shares as many bytes with `key` as any does.
    fn neighbour(&self, key: &[u8]) -> Option<&V> {
        let mut slot = self.root.as_ref()?;
        while let Slot::Node(_, node) = slot
            && let Some(child) = key.get(node.depth).and_then(|label| node.child(*label))
        {
            slot = child;
        }
        slot.any()
    }
}

fn shared_len(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// Puts a node in the place of `slot`, with `slot` and the new value below it. `label` is the byte after the shared
/// ones in the keys of `slot`, none if the only one ends there.
fn split<V: Keyed>(slot: &mut Slot<V>, shared: usize, label: Option<u8>, value: V) {
    let place = slot.label();
    let mut node = Node { depth: shared, here: None, slots: Vec::with_capacity(2) };
    let new_label = value.key().get(shared).copied();
    let new = Slot::Leaf(new_label.unwrap_or_default(), value);
    let old = std::mem::replace(slot, new.clone());
    for (label, item) in [(label, old), (new_label, new)] {
        match (label, item) {
            (Some(label), item) => node.slots.push(item.with_label(label)),
            (None, Slot::Leaf(_, value)) => node.here = Some(value),
            (None, item @ Slot::Node(..)) => node.slots.push(item),
        }
    }
    node.slots.sort_by_key(Slot::label);
    *slot = Slot::Node(place, Arc::new(node));
}

/// Replaces a node that holds a single thing by that thing.
fn collapse<V: Keyed>(slot: &mut Slot<V>) {
    let Slot::Node(place, node) = slot else { return };
    let place = *place;
    let node = Arc::make_mut(node);
    let only = match (node.slots.len(), &node.here) {
        (0, Some(_)) => node.here.take().map(|value| Slot::Leaf(place, value)),
        (1, None) => node.slots.pop().map(|only| only.with_label(place)),
        _ => None,
    };
    if let Some(only) = only {
        *slot = only;
    }
}

impl<V: Keyed> Drop for Node<V> {
    /// Takes the nodes that die with this one apart here, so that a deep tree does not exhaust the stack.
    fn drop(&mut self) {
        let mut dying: Vec<Arc<Self>> = Vec::new();
        detach(&mut self.slots, &mut dying);
        while let Some(node) = dying.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                detach(&mut node.slots, &mut dying);
            }
        }
    }
}

/// Moves the nodes that nobody else holds out of `slots`.
fn detach<V: Keyed>(slots: &mut Vec<Slot<V>>, dying: &mut Vec<Arc<Node<V>>>) {
    let is_last = |slot: &Slot<V>| matches!(slot, Slot::Node(_, node) if Arc::strong_count(node) == 1);
    if !slots.iter().any(is_last) {
        return;
    }
    dying.extend(slots.drain(..).filter_map(|slot| match slot {
        Slot::Node(_, node) => Some(node),
        Slot::Leaf(..) => None,
    }));
}

enum Step<'a, V: Keyed> {
    Slot(&'a Slot<V>),
    /// The rest of a node's slots.
    Rest(std::slice::Iter<'a, Slot<V>>),
}

pub(crate) struct Iter<'a, V: Keyed> {
    pending: Vec<Step<'a, V>>,
}

impl<'a, V: Keyed> Iterator for Iter<'a, V> {
    type Item = &'a V;

    fn next(&mut self) -> Option<&'a V> {
        loop {
            let slot = match self.pending.last_mut()? {
                Step::Slot(slot) => {
                    let slot = *slot;
                    self.pending.pop();
                    slot
                }
                Step::Rest(rest) => match rest.next() {
                    Some(slot) => slot,
                    None => {
                        self.pending.pop();
                        continue;
                    }
                },
            };
            match slot {
                Slot::Leaf(_, value) => return Some(value),
                Slot::Node(_, node) => {
                    self.pending.push(Step::Rest(node.slots.iter()));
                    if let Some(value) = &node.here {
                        return Some(value);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Entry = Arc<(Vec<u8>, u32)>;

    impl Keyed for Entry {
        fn key(&self) -> &[u8] {
            &self.0
        }
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![b'a', b'b', b'/', 0, 255]), 0..6)
    }

    proptest! {
        #[test]
        fn behaves_as_an_ordered_map(steps in prop::collection::vec((0u8..4, key()), 0..200)) {
            let mut map = RadixMap::<Entry>::default();
            let mut model: BTreeMap<Vec<u8>, Entry> = BTreeMap::new();
            let mut held = None;
            for (number, (kind, key)) in steps.into_iter().enumerate() {
                match kind {
                    0 | 1 => {
                        let entry = Arc::new((key.clone(), number as u32));
                        prop_assert_eq!(map.insert(Arc::clone(&entry)), model.insert(key.clone(), entry));
                    }
                    2 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    _ => held = Some((map.clone(), model.clone())),
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
                let under: Vec<&Entry> = map.under(&key).collect();
                let expected: Vec<&Entry> =
                    model.iter().filter(|(other, _)| other.starts_with(&key)).map(|(_, entry)| entry).collect();
                prop_assert_eq!(under, expected);
            }
            prop_assert!(map.iter().eq(model.values()));
            if let Some((map, model)) = held {
                prop_assert!(map.iter().eq(model.values()), "a held version changed");
            }
        }
    }

    #[test]
    fn a_deep_tree_needs_no_deep_stack() {
        const DEPTH: usize = 2_000;
        let work = || {
            let mut map = RadixMap::<Entry>::default();
            for len in 0..DEPTH {
                map.insert(Arc::new((vec![b'a'; len], 0)));
            }
            let held = map.clone();
            assert_eq!(map.iter().count(), DEPTH);
            assert!(map.remove(&vec![b'a'; DEPTH - 1]).is_some());
            drop(map);
            drop(held);
        };
        // Thirty bytes of stack for each level: recursion would need more.
        let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(work).unwrap();
        thread.join().unwrap();
    }
}
