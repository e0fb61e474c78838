//! Putting the catalog's derived parts in place after its records were read from a snapshot.

use std::sync::Arc;

use super::{NodeEntry, ServiceGroup};
use crate::id::Uuid;
use crate::names;
use crate::writer::Writer;

impl NodeEntry {
    /// Latest change among the node and the services it has now.
    pub(crate) fn newest(&self) -> u64 {
        let services = self.services().map(|service| service.modify_index).max().unwrap_or(0);
        self.node.modify_index.max(services)
    }
}

impl ServiceGroup {
    /// Latest change among the objects that the instances consist of.
    pub(crate) fn newest(&self) -> u64 {
        let of_instance = |instance: &super::Instance| {
            let checks = instance.checks.iter().map(|check| check.modify_index).max().unwrap_or(0);
            checks.max(instance.node.modify_index).max(instance.service.modify_index)
        };
        self.instances.values().map(of_instance).max().unwrap_or(0)
    }
}

impl Writer {
    /// Ids that a later record of the same node name replaced.
    pub(crate) fn drop_stale_ids(&mut self) {
        let catalog = self.catalog();
        let is_stale = |id: &Uuid, name: &Arc<str>| {
            catalog.nodes.get(name).is_none_or(|entry| Uuid::parse(&entry.node.id) != Ok(*id))
        };
        let stale: Vec<Uuid> =
            catalog.ids.iter().filter(|(id, name)| is_stale(id, name)).map(|(id, _)| *id).collect();
        for id in stale {
            catalog.ids.remove(&id);
        }
    }

    pub(crate) fn rebuild_views(&mut self) {
        let names: Vec<Arc<str>> = self.tables.catalog.nodes.keys().cloned().collect();
        for name in &names {
            self.refresh_instances_of(name);
            self.with_entry(name, |entry| entry.index = entry.newest());
        }
        let catalog = self.catalog();
        for groups in [&mut catalog.services, &mut catalog.connect] {
            let names: Vec<Arc<str>> = groups.keys().cloned().collect();
            for name in names {
                if let Some(group) = groups.get_mut(&name) {
                    let group = Arc::make_mut(group);
                    group.index = group.newest();
                }
            }
        }
    }

    /// Raises the index of one service, mesh name or node; false if the key names none of these kinds.
    pub(crate) fn raise_catalog_index(&mut self, key: &str, index: u64) -> bool {
        if let Some(name) = key.strip_prefix("node.") {
            self.with_entry(&names::lower(name), |entry| entry.index = entry.index.max(index));
            return true;
        }
        let catalog = self.catalog();
        let (groups, name) = if let Some(name) = key.strip_prefix("service.") {
            (&mut catalog.services, name)
        } else if let Some(name) = key.strip_prefix("connect.") {
            (&mut catalog.connect, name)
        } else {
            return false;
        };
        if let Some(group) = groups.get_mut(&*names::lower(name)) {
            let group = Arc::make_mut(group);
            group.index = group.index.max(index);
        }
        true
    }
}
