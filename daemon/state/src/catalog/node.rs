//! Nodes: registration, renaming, removal.

use std::sync::Arc;

use consul_api::types::catalog::Node;
use consul_api::types::health::SERF_HEALTH;

use super::{Catalog, NodeEntry};
use crate::error::ApplyError;
use crate::id::Uuid;
use crate::names;
use crate::table::Table;
use crate::watch::Topic;
use crate::writer::Writer;

/// Whether a new id may take over the name of a node that has none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Refused,
    Allowed,
}

impl Catalog {
    pub fn entry(&self, lower: &str) -> Option<&Arc<NodeEntry>> {
        self.nodes.get(lower)
    }

    pub fn by_id(&self, id: &str) -> Option<&Arc<NodeEntry>> {
        let id = Uuid::parse(id).ok()?;
        self.nodes.get(self.ids.get(&id)?)
    }
}

impl Writer {
    pub(crate) fn catalog(&mut self) -> &mut Catalog {
        Arc::make_mut(&mut self.tables.catalog)
    }

    pub(crate) fn node_entry(&self, name: &str) -> Option<&Arc<NodeEntry>> {
        self.tables.catalog.entry(&names::lower(name))
    }

    /// Changes the entry of an existing node.
    pub(crate) fn with_entry(&mut self, lower: &str, change: impl FnOnce(&mut NodeEntry)) {
        if let Some(entry) = self.catalog().nodes.get_mut(lower) {
            change(Arc::make_mut(entry));
        }
    }

    /// Notes that a node or the services on it changed now.
    pub(crate) fn touch_node(&mut self, lower: &str) {
        let index = self.index;
        self.with_entry(lower, |entry| entry.index = index);
        self.changes.topic(Topic::node(lower));
    }

    /// Stores a node, whole. The same id under another name is a rename; the same name under another id is allowed
    /// unless the node that has it is alive.
    pub(crate) fn ensure_node(&mut self, mut node: Node) -> Result<(), ApplyError> {
        if node.node.is_empty() {
            return Err(ApplyError::MissingPrimaryIndex("node"));
        }
        let lower: Arc<str> = node.node.to_lowercase().into();
        let mut known = self.tables.catalog.by_id(&node.id).cloned();
        if !node.id.is_empty() {
            let claim = if known.is_some() { Claim::Refused } else { Claim::Allowed };
            self.check_name_is_free(&node, &lower, claim)?;
        }
        if let Some(entry) = &known
            && entry.node.node.to_lowercase() != *lower
        {
            self.delete_node(&entry.node.node.to_lowercase());
        }
        if known.is_none() {
            known = self.tables.catalog.entry(&lower).cloned();
        }
        node.create_index = known.as_ref().map_or(self.index, |entry| entry.node.create_index);
        node.modify_index = known.as_ref().map_or(self.index, |entry| entry.node.modify_index);
        if known.is_some_and(|entry| *entry.node == node) {
            return Ok(());
        }
        node.modify_index = self.index;
        self.store_node(lower, node);
        Ok(())
    }

    fn store_node(&mut self, lower: Arc<str>, node: Node) {
        let id = Uuid::parse(&node.id).ok();
        let node = Arc::new(node);
        let catalog = self.catalog();
        let before = catalog.nodes.get(&lower).and_then(|entry| Uuid::parse(&entry.node.id).ok());
        if before != id
            && let Some(before) = before
        {
            catalog.ids.remove(&before);
        }
        if let Some(id) = id {
            catalog.ids.insert(id, Arc::clone(&lower));
        }
        match catalog.nodes.get_mut(&lower) {
            Some(entry) => Arc::make_mut(entry).node = node,
            None => {
                catalog.nodes.insert(Arc::clone(&lower), Arc::new(NodeEntry::new(node)));
            }
        }
        self.touch(Table::Nodes);
        self.touch_node(&lower);
        self.refresh_instances_of(&lower);
    }

    fn check_name_is_free(&self, node: &Node, lower: &str, claim: Claim) -> Result<(), ApplyError> {
        let Some(entry) = self.tables.catalog.entry(lower) else { return Ok(()) };
        let holder = &entry.node;
        if holder.id.eq_ignore_ascii_case(&node.id) || (holder.id.is_empty() && claim == Claim::Allowed) {
            return Ok(());
        }
        let alive = entry.check(SERF_HEALTH).is_some_and(|check| check.status != "critical");
        if !alive {
            return Ok(());
        }
        let renaming = match claim {
            Claim::Refused => format!("{:?} ({})", node.id, node.address),
            Claim::Allowed => format!("{:?}", node.id),
        };
        Err(ApplyError::NodeNameReserved {
            renaming,
            name: node.node.clone(),
            holder_id: holder.id.clone(),
            holder_name: holder.node.clone(),
            holder_address: holder.address.clone(),
        })
    }

    /// Removes a node with its services, checks, coordinates and sessions.
    pub(crate) fn delete_node(&mut self, lower: &str) {
        let Some(entry) = self.tables.catalog.entry(lower).cloned() else { return };
        for id in entry.services.keys() {
            self.delete_service(lower, id);
        }
        for id in entry.checks.keys() {
            self.delete_check(lower, id);
        }
        self.delete_coordinates(lower);
        self.end_sessions_of_node(lower);
        self.touch_node(lower);
        let catalog = self.catalog();
        catalog.nodes.remove(lower);
        if let Ok(id) = Uuid::parse(&entry.node.id) {
            catalog.ids.remove(&id);
        }
        self.touch(Table::Nodes);
    }
}
