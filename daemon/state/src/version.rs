//! One immutable state of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::operator::AutopilotConfig;

use crate::acl::AclTables;
use crate::catalog::Catalog;
use crate::config_entry::ConfigTable;
use crate::coordinate::CoordinateTable;
use crate::intention::IntentionTable;
use crate::kv::KvTable;
use crate::query::QueryTable;
use crate::session::SessionTable;
use crate::snapshot::OpaqueRecord;
use crate::table::{Table, TableIndexes};
use crate::watch::WatchSet;

/// The state after some command. Cheap to hold; reads never block and share what they return.
#[derive(Clone, Default)]
pub struct Version {
    pub(crate) index: u64,
    /// Counts restores, within this process only.
    pub(crate) epoch: u64,
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
    pub queries: Arc<QueryTable>,
    pub config_entries: ConfigTable,
    pub intentions: IntentionTable,
    pub acl: Arc<AclTables>,
    pub autopilot: Option<Arc<AutopilotConfig>>,
    /// Records of a restored snapshot that nothing here interprets.
    pub opaque: Arc<Vec<OpaqueRecord>>,
    /// Indexes of tables that exist only in such records.
    pub extra_indexes: Arc<BTreeMap<String, u64>>,
}

impl Version {
    /// Number of the last command applied.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Changes whenever the state is replaced by a snapshot. Means nothing beyond this process.
    pub fn epoch(&self) -> u64 {
        self.epoch
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
