//! The store as the log's state machine.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use consul_raft::{RestoreMode, SnapshotError, SnapshotSource, StateMachine};
use consul_state::{ApplyError, Command, Outcome, Store, Version};

use super::metrics::SERVER;
use crate::leader::Leader;

/// Decodes and applies commands, and passes on what the leader's timers need to know of them.
pub struct Machine {
    store: Arc<Store>,
    leader: Arc<Leader>,
}

impl Machine {
    pub fn new(store: Arc<Store>, leader: Arc<Leader>) -> Self {
        Self { store, leader }
    }
}

impl StateMachine for Machine {
    type Outcome = Outcome;
    type Restored = consul_state::Restored;

    fn apply(&self, commands: &[Bytes]) -> Vec<Outcome> {
        let decoded: Vec<_> = commands.iter().map(|bytes| Command::decode(bytes)).collect();
        let valid: Vec<Command> =
            decoded.iter().filter_map(|command| command.as_ref().ok().cloned()).collect();
        let started = Instant::now();
        let mut applied = self.store.apply(&valid).into_iter();
        SERVER.applied(&valid, started.elapsed());
        let outcomes: Vec<Outcome> = decoded
            .into_iter()
            .map(|command| match command {
                Ok(_) => applied.next().unwrap_or_else(|| refused("the command was not applied")),
                Err(error) => refused(&error.to_string()),
            })
            .collect();
        let now = Instant::now();
        outcomes.iter().for_each(|outcome| self.leader.note(outcome, now));
        outcomes
    }

    fn snapshot(&self) -> Arc<dyn SnapshotSource> {
        Arc::new(Held(self.store.version()))
    }

    fn parse(&self, input: &mut dyn Read) -> Result<consul_state::Restored, SnapshotError> {
        Store::read_snapshot(input).map_err(|error| SnapshotError::State(Box::new(error)))
    }

    fn install(&self, restored: consul_state::Restored, mode: RestoreMode) {
        match mode {
            RestoreMode::Recover => self.store.recover(restored),
            RestoreMode::Supersede => self.store.restore(restored),
        }
        self.leader.state_replaced();
    }
}

/// What a server answers when its log holds a command that it does not know, from a newer release.
fn refused(reason: &str) -> Outcome {
    Outcome { index: 0, reply: Err(ApplyError::Undecodable(reason.to_owned())), effects: None }
}

/// A version that is written out while later commands are applied.
struct Held(Arc<Version>);

impl SnapshotSource for Held {
    fn index(&self) -> u64 {
        self.0.index()
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        Store::write_snapshot(&self.0, out)
    }
}
