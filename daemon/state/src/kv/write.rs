//! Writes to the key/value store, as single commands and as steps of transactions.

use std::sync::Arc;

use consul_api::types::bytes::Key;
use consul_api::types::kv::{KvPair, KvVerb};

use super::Tombstone;
use crate::command::{KvCommand, Reply};
use crate::error::ApplyError;
use crate::id::Uuid;
use crate::table::Table;
use crate::writer::Writer;

/// How a write treats what the entry says about locks.
enum Lock {
    /// The holder stays, the count starts over.
    Keep,
    Set {
        session: String,
        lock_index: u64,
    },
}

impl Writer {
    pub(crate) fn apply_kv(&mut self, command: &KvCommand) -> Result<Reply, ApplyError> {
        if command.key.is_empty() && command.verb != KvVerb::DeleteTree {
            return Err(ApplyError::MissingKey);
        }
        let applied = match command.verb {
            KvVerb::Set => {
                self.kv_set(command);
                true
            }
            KvVerb::Cas => self.kv_cas(command),
            KvVerb::Lock => self.kv_lock(command)?,
            KvVerb::Unlock => self.kv_unlock(command)?,
            KvVerb::Delete => {
                self.kv_delete(command.key.as_slice());
                true
            }
            KvVerb::DeleteCas => self.kv_delete_cas(command.key.as_slice(), command.index),
            KvVerb::DeleteTree => {
                self.kv_delete_tree(command.key.as_slice());
                true
            }
            KvVerb::Get
            | KvVerb::GetOrEmpty
            | KvVerb::GetTree
            | KvVerb::CheckIndex
            | KvVerb::CheckSession
            | KvVerb::CheckNotExists => return Err(ApplyError::InvalidKvOperation(command.verb.as_str())),
        };
        Ok(Reply::Applied(applied))
    }

    pub(crate) fn kv_set(&mut self, command: &KvCommand) {
        self.put(command, Lock::Keep);
    }

    pub(crate) fn kv_cas(&mut self, command: &KvCommand) -> bool {
        let current =
            self.tables.kv.entries.get(command.key.as_slice()).map_or(0, |entry| entry.modify_index);
        let matches = current == command.index && (current > 0 || !self.kv_exists(&command.key));
        if matches {
            self.put(command, Lock::Keep);
        }
        matches
    }

    pub(crate) fn kv_lock(&mut self, command: &KvCommand) -> Result<bool, ApplyError> {
        if command.session.is_empty() {
            return Err(ApplyError::MissingSession);
        }
        let session = self.live_session(&command.session)?;
        let lock_index = match self.tables.kv.entries.get(command.key.as_slice()) {
            None => 1,
            Some(entry) if entry.session == session => entry.lock_index,
            Some(entry) if !entry.session.is_empty() => return Ok(false),
            Some(entry) => entry.lock_index + 1,
        };
        self.put(command, Lock::Set { session, lock_index });
        Ok(true)
    }

    pub(crate) fn kv_unlock(&mut self, command: &KvCommand) -> Result<bool, ApplyError> {
        if command.session.is_empty() {
            return Err(ApplyError::MissingSession);
        }
        let Some(entry) = self.tables.kv.entries.get(command.key.as_slice()) else { return Ok(false) };
        if !entry.session.eq_ignore_ascii_case(&command.session) {
            return Ok(false);
        }
        let lock_index = entry.lock_index;
        self.put(command, Lock::Set { session: String::new(), lock_index });
        Ok(true)
    }

    pub(crate) fn kv_delete(&mut self, key: &[u8]) {
        if self.remove_entry(key).is_none() {
            return;
        }
        self.bury(key);
        self.touch(Table::Kv);
    }

    /// True if the entry had this modify index and is gone now, or never was.
    pub(crate) fn kv_delete_cas(&mut self, key: &[u8], index: u64) -> bool {
        match self.tables.kv.entries.get(key) {
            None => true,
            Some(entry) if entry.modify_index != index => false,
            Some(_) => {
                self.kv_delete(key);
                true
            }
        }
    }

    /// One tombstone at the prefix stands for all keys under it, and none at all when everything goes: the index of
    /// the empty prefix is the table's.
    pub(crate) fn kv_delete_tree(&mut self, prefix: &[u8]) {
        let doomed: Vec<Arc<KvPair>> = self.tables.kv.entries.under(prefix).cloned().collect();
        if doomed.is_empty() {
            return;
        }
        for entry in doomed {
            self.remove_entry(entry.key.as_slice());
        }
        if !prefix.is_empty() {
            self.bury(prefix);
        }
        self.touch(Table::Kv);
    }

    pub(crate) fn reap_tombstones(&mut self, index: u64) -> Reply {
        let stones = self.tables.kv.tombstones.iter();
        let due: Vec<Arc<Tombstone>> = stones.filter(|stone| stone.index <= index).cloned().collect();
        if !due.is_empty() {
            let table = Arc::make_mut(&mut self.tables.kv);
            due.iter().for_each(|stone| drop(table.tombstones.remove(stone.key.as_slice())));
        }
        Reply::Done
    }

    /// What becomes of the keys that `session` held when it ends: released, or deleted.
    pub(crate) fn kv_end_session(&mut self, session: Uuid, delete: bool) -> Vec<Key> {
        let Some(held) = self.tables.kv.held.get(&session) else { return Vec::new() };
        let keys: Vec<Key> = held.iter().map(|key| Key::from(&**key)).collect();
        for key in &keys {
            if delete {
                self.kv_delete(key.as_slice());
                continue;
            }
            let Some(entry) = self.tables.kv.entries.get(key.as_slice()) else { continue };
            let released =
                KvPair { session: String::new(), modify_index: self.index, ..KvPair::clone(entry) };
            self.store_entry(released);
        }
        keys
    }

    fn kv_exists(&self, key: &Key) -> bool {
        self.tables.kv.entries.get(key.as_slice()).is_some()
    }

    /// Writes value and flags unless that changes nothing: an equal write wakes nobody and moves no index.
    fn put(&mut self, command: &KvCommand, lock: Lock) {
        let existing = self.tables.kv.entries.get(command.key.as_slice());
        let (session, lock_index) = match lock {
            Lock::Keep => (existing.map(|entry| entry.session.clone()).unwrap_or_default(), 0),
            Lock::Set { session, lock_index } => (session, lock_index),
        };
        let create_index = match existing {
            None => self.index,
            Some(entry) => {
                let same = entry.flags == command.flags
                    && entry.lock_index == lock_index
                    && entry.session == session
                    && entry.value == command.value;
                if same {
                    return;
                }
                entry.create_index
            }
        };
        self.store_entry(KvPair {
            lock_index,
            key: command.key.clone(),
            flags: command.flags,
            value: command.value.clone(),
            session,
            create_index,
            modify_index: self.index,
        });
    }

    fn store_entry(&mut self, entry: KvPair) {
        let entry = Arc::new(entry);
        let table = Arc::make_mut(&mut self.tables.kv);
        let before = table.entries.insert(Arc::clone(&entry));
        let holder_before = before.as_ref().map_or("", |before| before.session.as_str());
        if holder_before != entry.session {
            table.forget_holder(holder_before, entry.key.as_slice());
            table.note_holder(&entry);
        }
        self.changes.key(entry);
        self.touch(Table::Kv);
    }

    fn remove_entry(&mut self, key: &[u8]) -> Option<Arc<KvPair>> {
        self.tables.kv.entries.get(key)?;
        let table = Arc::make_mut(&mut self.tables.kv);
        let entry = table.entries.remove(key)?;
        table.forget_holder(&entry.session, key);
        self.changes.key(Arc::clone(&entry));
        Some(entry)
    }

    fn bury(&mut self, key: &[u8]) {
        let stone = Arc::new(Tombstone { key: Key::from(key), index: self.index });
        Arc::make_mut(&mut self.tables.kv).tombstones.insert(stone);
        self.effects.tombstone = true;
        self.touch(Table::Tombstones);
    }
}

impl super::KvTable {
    pub(crate) fn note_holder(&mut self, entry: &KvPair) {
        if let Ok(session) = Uuid::parse(&entry.session) {
            self.held.entry(session).or_default().insert(entry.key.as_slice().into());
        }
    }

    pub(crate) fn forget_holder(&mut self, session: &str, key: &[u8]) {
        let Ok(session) = Uuid::parse(session) else { return };
        let Some(keys) = self.held.get_mut(&session) else { return };
        keys.remove(key);
        if keys.is_empty() {
            self.held.remove(&session);
        }
    }
}
