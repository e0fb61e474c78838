//! What must hold whatever happens, and the state machine that watches it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::error::SnapshotError;
use crate::machine::{RestoreMode, SnapshotSource, StateMachine};

/// The one history that all servers agree on.
#[derive(Default)]
pub(crate) struct Truth {
    /// Commands in the order of the first server that applied them.
    history: Vec<String>,
    /// Reported as never sent.
    not_sent: BTreeSet<String>,
    /// The longest history that was acknowledged to a writer, or read by the leader's lease.
    seen: usize,
    acknowledged: usize,
    violation: Option<String>,
}

pub(crate) type Shared = Arc<Mutex<Truth>>;

impl Truth {
    fn applied(&mut self, at: usize, command: &str) {
        match self.history.get(at) {
            Some(known) if known == command => {}
            Some(known) => {
                self.violate(format!("servers differ at {at}: {known:?} and {command:?}"));
            }
            None if self.history.len() == at => self.history.push(command.to_owned()),
            None => {
                self.violate(format!("applied {command:?} at {at}, beyond the end {}", self.history.len()))
            }
        }
    }

    pub fn acknowledged(&mut self, position: usize, command: &str) {
        let there = position.checked_sub(1).and_then(|at| self.history.get(at));
        if there.map(String::as_str) != Some(command) {
            self.violate(format!("{command:?} was acknowledged at {position}, where there is {there:?}"));
        }
        self.acknowledged += 1;
        self.seen = self.seen.max(position);
    }

    pub fn not_sent(&mut self, command: String) {
        self.not_sent.insert(command);
    }

    /// A read under the lease saw this much of the history.
    pub fn read(&mut self, length: usize) {
        if length < self.seen {
            self.violate(format!("a default read saw {length} commands after {} were seen", self.seen));
        }
        self.seen = self.seen.max(length);
    }

    pub fn violate(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    pub fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    pub fn history(&self) -> &[String] {
        &self.history
    }

    pub fn acknowledged_count(&self) -> usize {
        self.acknowledged
    }

    /// Nothing is there twice, and nothing that was said not to be sent.
    pub fn check_fates(&mut self) {
        let mut met = BTreeSet::new();
        let mut wrong = None;
        for command in &self.history {
            if !met.insert(command) {
                wrong = Some(format!("{command:?} was applied twice"));
            }
            if self.not_sent.contains(command) {
                wrong = Some(format!("{command:?} was applied, but reported as never sent"));
            }
        }
        if let Some(wrong) = wrong {
            self.violate(wrong);
        }
    }
}

/// A server's state: the commands it applied.
pub(crate) struct Journal {
    truth: Shared,
    commands: Mutex<Vec<String>>,
}

struct Version(Vec<String>);

impl SnapshotSource for Version {
    fn index(&self) -> u64 {
        self.0.len() as u64
    }

    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.0.iter().try_for_each(|command| writeln!(out, "{command}"))
    }
}

impl Journal {
    pub fn new(truth: Shared) -> Arc<Self> {
        Arc::new(Self { truth, commands: Mutex::default() })
    }

    pub fn length(&self) -> usize {
        self.commands.lock().len()
    }
}

impl StateMachine for Journal {
    type Outcome = usize;
    type Restored = Vec<String>;

    fn apply(&self, commands: &[Bytes]) -> Vec<usize> {
        let mut journal = self.commands.lock();
        let mut truth = self.truth.lock();
        let add = |command: &Bytes| {
            let command = String::from_utf8_lossy(command).into_owned();
            truth.applied(journal.len(), &command);
            journal.push(command);
            journal.len()
        };
        commands.iter().map(add).collect()
    }

    fn snapshot(&self) -> Arc<dyn SnapshotSource> {
        Arc::new(Version(self.commands.lock().clone()))
    }

    fn parse(&self, input: &mut dyn Read) -> Result<Vec<String>, SnapshotError> {
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    fn install(&self, restored: Vec<String>, _: RestoreMode) {
        let mut truth = self.truth.lock();
        for (at, command) in restored.iter().enumerate() {
            truth.applied(at, command);
        }
        *self.commands.lock() = restored;
    }
}
