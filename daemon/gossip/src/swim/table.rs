//! The members, in the order in which they are probed.

use std::sync::Arc;

use indexmap::IndexMap;
use rand::Rng;
use rand::rngs::StdRng;

use super::suspicion::Suspicion;
use crate::node::{Node, NodeState, Seen};
use crate::time::Time;

/// What is known of one member.
#[derive(Debug)]
pub(super) struct Record {
    pub node: Arc<Node>,
    pub incarnation: u32,
    pub state: NodeState,
    pub changed: Time,
    /// While the state is suspect. Boxed, as it rarely is.
    pub suspicion: Option<Box<Suspicion>>,
}

impl Record {
    pub fn seen(&self) -> Seen {
        Seen {
            node: Arc::clone(&self.node),
            state: self.state,
            incarnation: self.incarnation,
            changed: self.changed,
        }
    }
}

/// Records by name. The order is random and changes only at the end of each round of probes, so that everybody is
/// probed once in each.
#[derive(Debug, Default)]
pub(super) struct Table {
    records: IndexMap<Arc<str>, Record>,
    members: usize,
}

impl Table {
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Records that are alive or suspect.
    pub fn members(&self) -> usize {
        self.members
    }

    pub fn get(&self, name: &str) -> Option<&Record> {
        self.records.get(name)
    }

    /// For changes of anything but the state.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Record> {
        self.records.get_mut(name)
    }

    pub fn at(&self, index: usize) -> Option<&Record> {
        self.records.get_index(index).map(|(_, record)| record)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Record> + Clone {
        self.records.values()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.records.values_mut()
    }

    pub fn reserve(&mut self, additional: usize) {
        self.records.reserve_exact(additional);
    }

    /// Adds a record, at a random place so that members added together are not probed together.
    pub fn insert(&mut self, record: Record, rng: &mut StdRng) {
        if record.state.is_member() {
            self.members += 1;
        }
        let (index, _) = self.records.insert_full(Arc::clone(&record.node.name), record);
        self.records.swap_indices(index, rng.random_range(0..=index));
    }

    pub fn set_state(&mut self, now: Time, name: &str, state: NodeState) {
        let Some(record) = self.records.get_mut(name) else { return };
        let was_member = record.state.is_member();
        if record.state != state {
            record.state = state;
            record.changed = now;
        }
        match (was_member, state.is_member()) {
            (false, true) => self.members += 1,
            (true, false) => self.members -= 1,
            _ => {}
        }
    }

    pub fn shuffle(&mut self, rng: &mut StdRng) {
        for index in (1..self.records.len()).rev() {
            self.records.swap_indices(index, rng.random_range(0..=index));
        }
    }

    /// Removes the records for which `gone` holds and returns them.
    pub fn extract(&mut self, gone: impl Fn(&Record) -> bool) -> Vec<Record> {
        if !self.records.values().any(&gone) {
            return Vec::new();
        }
        let names: Vec<Arc<str>> = self
            .records
            .iter()
            .filter(|(_, record)| gone(record))
            .map(|(name, _)| Arc::clone(name))
            .collect();
        let removed: Vec<Record> =
            names.iter().filter_map(|name| self.records.swap_remove(&**name)).collect();
        self.members -= removed.iter().filter(|record| record.state.is_member()).count();
        removed
    }

    /// Up to `count` different records for which `wanted` holds. From a large table a few may be missed when few are
    /// wanted: the cost follows the count.
    pub fn sample(&self, count: usize, rng: &mut StdRng, wanted: impl Fn(&Record) -> bool) -> Vec<Arc<Node>> {
        const SMALL: usize = 128;
        let mut chosen: Vec<Arc<Node>> = Vec::with_capacity(count);
        if self.records.len() <= SMALL {
            let mut all: Vec<&Record> = self.records.values().filter(|record| wanted(record)).collect();
            while chosen.len() < count && !all.is_empty() {
                let record = all.swap_remove(rng.random_range(0..all.len()));
                chosen.push(Arc::clone(&record.node));
            }
            return chosen;
        }
        for _ in 0..count * 16 {
            if chosen.len() >= count {
                break;
            }
            let Some(record) = self.at(rng.random_range(0..self.records.len())) else { break };
            if wanted(record) && !chosen.iter().any(|node| node.name == record.node.name) {
                chosen.push(Arc::clone(&record.node));
            }
        }
        chosen
    }
}
