//! One immutable state of everything.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::coordinate::CoordinateTable;
use crate::kv::KvTable;
use crate::session::SessionTable;
use crate::table::{Table, TableIndexes};
use crate::watch::WatchSet;

/// The state after some command. Cheap to hold; reads never block and share what they return.
#[derive(Clone, Default)]
pub struct Version {
    pub(crate) index: u64,
    pub(crate) tables: Tables,
}

/// Every table, each behind a pointer: a new version copies only what it changes.
#[derive(Clone, Default)]
pub(crate) struct Tables {
    pub indexes: TableIndexes,
    pub kv: Arc<KvTable>,
    pub sessions: Arc<SessionTable>,
    pub catalog: Arc<Catalog>,
    pub coordinates: CoordinateTable,
}

impl Version {
    /// Number of the last command applied.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Index of the last change of `table`, 1 if there was none.
    pub fn table_index(&self, table: Table, watch: &mut WatchSet) -> u64 {
        watch.table(table);
        self.last_change(table)
    }

    pub(crate) fn last_change(&self, table: Table) -> u64 {
        self.tables.indexes.get(table).max(1)
    }
}
