//! Centralised configuration entries, kept as documents.

use std::sync::Arc;

use consul_api::types::config_entry::ConfigEntry;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::command::Reply;
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ConfigEntryCommand {
    /// With `cas`: only if the entry has this modify index, or does not exist for 0.
    Set { entry: Box<ConfigEntry>, cas: Option<u64> },
    /// With `cas`: only if the entry has this modify index.
    Delete { kind: String, name: String, cas: Option<u64> },
}

/// By kind and lower-case name.
pub(crate) type ConfigTable = OrdMap<(Arc<str>, Arc<str>), Arc<ConfigEntry>>;

fn key(kind: &str, name: &str) -> (Arc<str>, Arc<str>) {
    (kind.into(), names::lower(name).into())
}

impl Version {
    /// Entries of a kind, or of all kinds, by kind and name.
    pub fn config_entries<'a>(
        &'a self,
        kind: Option<&'a str>,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &'a Arc<ConfigEntry>> + use<'a>) {
        let index = self.table_index(Table::ConfigEntries, watch);
        let entries = self.tables.config_entries.values();
        (index, entries.filter(move |entry| kind.is_none_or(|kind| entry.kind == kind)))
    }

    pub fn config_entry(
        &self,
        kind: &str,
        name: &str,
        watch: &mut WatchSet,
    ) -> (u64, Option<&Arc<ConfigEntry>>) {
        (self.table_index(Table::ConfigEntries, watch), self.tables.config_entries.get(&key(kind, name)))
    }
}

impl Writer {
    pub(crate) fn apply_config_entry(&mut self, command: &ConfigEntryCommand) -> Reply {
        match command {
            ConfigEntryCommand::Set { entry, cas } => Reply::Applied(self.set_config_entry(entry, *cas)),
            ConfigEntryCommand::Delete { kind, name, cas } => {
                Reply::Applied(self.delete_config_entry(kind, name, *cas))
            }
        }
    }

    fn set_config_entry(&mut self, entry: &ConfigEntry, cas: Option<u64>) -> bool {
        let key = key(&entry.kind, &entry.name);
        let existing = self.tables.config_entries.get(&key);
        let current = existing.map_or(0, |known| known.modify_index);
        if cas.is_some_and(|wanted| wanted != current) {
            return false;
        }
        if existing.is_some_and(|known| known.fields == entry.fields && known.name == entry.name) {
            return true;
        }
        let create_index = existing.map_or(self.index, |known| known.create_index);
        let entry = ConfigEntry { create_index, modify_index: self.index, ..entry.clone() };
        self.tables.config_entries.insert(key, Arc::new(entry));
        self.touch(Table::ConfigEntries);
        true
    }

    fn delete_config_entry(&mut self, kind: &str, name: &str, cas: Option<u64>) -> bool {
        let key = key(kind, name);
        let Some(existing) = self.tables.config_entries.get(&key) else { return cas.is_none() };
        if cas.is_some_and(|wanted| wanted != existing.modify_index) {
            return false;
        }
        self.tables.config_entries.remove(&key);
        self.touch(Table::ConfigEntries);
        true
    }

    /// Takes an entry from a snapshot as it is.
    pub(crate) fn restore_config_entry(&mut self, entry: ConfigEntry) {
        self.tables.config_entries.insert(key(&entry.kind, &entry.name), Arc::new(entry));
    }
}
