//! One batch of commands in progress.
//!
//! The writer works on a copy of the current version that shares everything with it. What a command does lives with
//! its table (`kv`, `session` and so on, as further methods of [`Writer`]); here is only what is common: numbering,
//! taking back a failed command, collecting effects.

use crate::command::{Command, Effects, Outcome, Reply};
use crate::error::ApplyError;
use crate::table::Table;
use crate::version::{Tables, Version};
use crate::watch::Changes;

pub(crate) struct Writer {
    pub tables: Tables,
    /// Number of the command that is being applied.
    pub index: u64,
    epoch: u64,
    pub changes: Changes,
    pub effects: Effects,
}

impl Writer {
    pub fn new(version: &Version) -> Self {
        Self {
            tables: version.tables.clone(),
            index: version.index,
            epoch: version.epoch,
            changes: Changes::default(),
            effects: Effects::default(),
        }
    }

    pub fn finish(self) -> (Version, Changes) {
        (Version { index: self.index, epoch: self.epoch, tables: self.tables }, self.changes)
    }

    pub fn apply(&mut self, command: &Command) -> Outcome {
        self.index += 1;
        let reply = match command {
            Command::Kv(command) => self.apply_kv(command),
            Command::Txn(command) => Ok(self.apply_txn(command)),
            other => self.all_or_nothing(|writer| writer.dispatch(other)),
        };
        let effects =
            if self.effects.is_empty() { None } else { Some(Box::new(std::mem::take(&mut self.effects))) };
        Outcome { index: self.index, reply, effects }
    }

    fn dispatch(&mut self, command: &Command) -> Result<Reply, ApplyError> {
        match command {
            Command::Kv(command) => self.apply_kv(command),
            Command::SessionCreate(session) => self.create_session(session),
            Command::SessionDestroy { id } => self.destroy_session(id),
            Command::Txn(command) => Ok(self.apply_txn(command)),
            Command::Register(request) => self.register(request),
            Command::Deregister(request) => Ok(self.deregister(request)),
            Command::PreparedQuery(command) => self.apply_query(command),
            Command::ConfigEntry(command) => Ok(self.apply_config_entry(command)),
            Command::Intention(command) => self.apply_intention(command),
            Command::Acl(command) => self.apply_acl(command),
            Command::Autopilot(command) => Ok(self.apply_autopilot(command)),
            Command::Coordinates(updates) => Ok(self.update_coordinates(updates)),
            Command::TombstoneReap { index } => Ok(self.reap_tombstones(*index)),
        }
    }

    /// Runs `step`; if it fails, nothing that it did remains.
    pub fn all_or_nothing<T, E>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.tables.clone();
        let mark = self.changes.mark();
        let result = step(self);
        if result.is_err() {
            self.tables = before;
            self.changes.rewind(mark);
            self.effects = Effects::default();
        }
        result
    }

    /// Notes that `table` changed now.
    pub fn touch(&mut self, table: Table) {
        self.tables.indexes.set(table, self.index);
        self.changes.table(table);
    }
}
