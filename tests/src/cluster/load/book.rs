//! What the clients of a load saw, and whether it may be so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::linearizability::lock::{self, Held, Lock};
use crate::linearizability::register::{Input, Output, Register, Value};
use crate::linearizability::search::{STEPS_MAX, Verdict, check, excerpt};
use crate::linearizability::stale::{self, Seen};
use crate::linearizability::{Model, Moment, Operation};

/// How an operation on a register was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Write,
    Default,
    Consistent,
}

/// An operation on a register.
pub(super) type Access = (Mode, Operation<Input, Output>);

/// All that was seen.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) registers: BTreeMap<String, Vec<Access>>,
    /// Modify indexes of values, from every read.
    pub(super) indexes: Vec<(Value, u64)>,
    /// When each value was sent.
    pub(super) sent: HashMap<Value, Moment>,
    pub(super) stale: Vec<Seen>,
    pub(super) locks: BTreeMap<String, lock::History>,
    pub(super) held: BTreeMap<String, Vec<Held>>,
    pub(super) robbed: Vec<String>,
    /// Keys that were added, and whether that was acknowledged.
    pub(super) added: BTreeMap<Value, bool>,
    /// Which of them each server listed in the end.
    pub(super) present: Vec<BTreeSet<Value>>,
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub keys: usize,
    pub operations: usize,
    pub unknown: usize,
    pub stale_reads: usize,
    pub lock_operations: usize,
    pub grants: usize,
    pub added: usize,
    pub added_acknowledged: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            keys,
            operations,
            unknown,
            stale_reads,
            lock_operations,
            grants,
            added,
            added_acknowledged,
        } = self;
        write!(
            out,
            "{operations} operations on {keys} keys ({unknown} with unknown outcome), {stale_reads} stale reads, \
             {lock_operations} lock operations with {grants} grants, {added_acknowledged} of {added} additions \
             acknowledged"
        )
    }
}

impl Book {
    /// The lock for the next round of its clients.
    pub(super) fn lock_in_use(&self, operations_max: usize) -> String {
        let full = self.locks.values().filter(|history| history.len() >= operations_max).count();
        format!("lock/{full}")
    }

    pub fn summary(&self) -> Summary {
        let operations = || self.registers.values().flatten();
        Summary {
            keys: self.registers.len(),
            operations: operations().count(),
            unknown: operations().filter(|(_, operation)| operation.outcome.is_none()).count(),
            stale_reads: self.stale.len(),
            lock_operations: self.locks.values().map(Vec::len).sum(),
            grants: self.held.values().map(Vec::len).sum(),
            added: self.added.len(),
            added_acknowledged: self.added.values().filter(|acknowledged| **acknowledged).count(),
        }
    }

    /// All complaints about writes and about reads in these modes.
    pub fn complaints(&self, modes: &[Mode]) -> Vec<String> {
        let mut complaints = self.register_complaints(modes);
        complaints.extend(self.lock_complaints());
        complaints.extend(self.stale_complaints());
        complaints.extend(self.lost());
        complaints
    }

    /// Writes, and reads in these modes, of each key: some order must explain them.
    pub fn register_complaints(&self, modes: &[Mode]) -> Vec<String> {
        let register = match Register::new(self.indexes.iter().copied()) {
            Ok(register) => register,
            Err(twice) => return vec![twice.to_string()],
        };
        let mut complaints = Vec::new();
        for (key, operations) in &self.registers {
            let history: Vec<_> = operations
                .iter()
                .filter(|(mode, _)| *mode == Mode::Write || modes.contains(mode))
                .map(|(_, operation)| operation.clone())
                .collect();
            complaints.extend(explain(key, &register, &history));
        }
        complaints
    }

    fn lock_complaints(&self) -> Vec<String> {
        let mut complaints = self.robbed.clone();
        for (key, history) in &self.locks {
            complaints.extend(explain(key, &Lock, history));
        }
        for (key, held) in &self.held {
            if let Some((one, next)) = lock::overlap(held.clone()) {
                complaints.push(format!(
                    "{key}: two holders at once, or a fence that did not grow: {one:?}, {next:?}"
                ));
            }
        }
        complaints
    }

    fn stale_complaints(&self) -> Vec<String> {
        let back = stale::went_back(&self.stale)
            .map(|back| format!("a server went back in time: {:?}, then {:?}", back.earlier, back.later));
        let invented = stale::invented(&self.stale, &self.sent)
            .map(|seen| format!("a stale read shows what nobody had written: {seen:?}"));
        back.into_iter().chain(invented).collect()
    }

    /// Acknowledged additions that a server does not have in the end, and such that nobody made.
    fn lost(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (server, present) in self.present.iter().enumerate() {
            let acknowledged =
                self.added.iter().filter(|(_, acknowledged)| **acknowledged).map(|(key, _)| *key);
            let missing: Vec<_> = acknowledged.filter(|key| !present.contains(key)).collect();
            if !missing.is_empty() {
                complaints
                    .push(format!("acknowledged additions are missing at server {server}: {missing:?}"));
            }
            let strange: Vec<_> = present.iter().filter(|key| !self.added.contains_key(key)).collect();
            if !strange.is_empty() {
                complaints.push(format!("server {server} has keys that nobody added: {strange:?}"));
            }
        }
        complaints
    }
}

fn explain<M: Model>(key: &str, model: &M, history: &[Operation<M::Input, M::Output>]) -> Option<String> {
    match check(model, history, STEPS_MAX) {
        Verdict::Linearizable => None,
        Verdict::Undecided => Some(format!("{key}: no verdict on {} operations", history.len())),
        Verdict::Violation { placed, stuck } => Some(format!(
            "{key}: no order explains this history; the best attempt placed {placed} of {} operations and got stuck \
             at the marked one:\n{}",
            history.len(),
            excerpt(history, stuck)
        )),
    }
}
