//! Network coordinates of nodes, by segment.

use std::sync::Arc;

use consul_api::types::coordinate::NodeCoordinate;
use imbl::OrdMap;

use crate::command::Reply;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

/// By lower-case node name, then segment.
pub(crate) type CoordinateTable = OrdMap<(Arc<str>, Arc<str>), Arc<NodeCoordinate>>;

impl Version {
    /// All coordinates in order of node names.
    pub fn coordinates(
        &self,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &Arc<NodeCoordinate>> + use<'_>) {
        (self.table_index(Table::Coordinates, watch), self.tables.coordinates.values())
    }

    /// Coordinates of one node, one for each segment it is in.
    pub fn node_coordinates(&self, node: &str, watch: &mut WatchSet) -> (u64, Vec<&Arc<NodeCoordinate>>) {
        let lower: Arc<str> = node.to_lowercase().into();
        let from = (Arc::clone(&lower), Arc::from(""));
        let of_node = self.tables.coordinates.range(from..).take_while(|((name, _), _)| *name == lower);
        (self.table_index(Table::Coordinates, watch), of_node.map(|(_, coordinate)| coordinate).collect())
    }
}

impl Writer {
    /// Stores a batch. Coordinates of unknown nodes are dropped, as are malformed ones.
    pub(crate) fn update_coordinates(&mut self, updates: &[NodeCoordinate]) -> Reply {
        let mut changed = false;
        for update in updates {
            let valid = update.coord.as_ref().is_some_and(|coordinate| coordinate.is_valid());
            if !valid || self.node_entry(&update.node).is_none() {
                continue;
            }
            let key = (Arc::from(update.node.to_lowercase()), Arc::from(update.segment.as_str()));
            self.tables.coordinates.insert(key, Arc::new(update.clone()));
            changed = true;
        }
        if changed {
            self.touch(Table::Coordinates);
        }
        Reply::Done
    }

    pub(crate) fn delete_coordinates(&mut self, lower: &str) {
        let from = (Arc::from(lower), Arc::from(""));
        let of_node = self.tables.coordinates.range(from..).take_while(|((name, _), _)| **name == *lower);
        let keys: Vec<_> = of_node.map(|(key, _)| key.clone()).collect();
        if keys.is_empty() {
            return;
        }
        for key in keys {
            self.tables.coordinates.remove(&key);
        }
        self.touch(Table::Coordinates);
    }
}
