//! Reads of the catalog. Nothing is copied: nodes, services and checks come as shared pointers.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::catalog::Node;
use consul_api::types::health::HealthCheck;

use super::{Instance, NodeEntry, ServiceGroup};
use crate::id::Uuid;
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::{Topic, WatchSet};

/// Which instances a service name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Those registered under the name.
    Service,
    /// Proxies for it, and instances that speak the mesh protocol themselves.
    Connect,
}

/// The instances of one service, sorted by node name and service id.
#[derive(Clone, Copy)]
pub struct Instances<'a>(Option<&'a ServiceGroup>);

impl<'a> Instances<'a> {
    pub fn iter(&self) -> impl Iterator<Item = &'a Instance> + Clone + use<'a> {
        self.0.into_iter().flat_map(|group| group.instances.values())
    }

    pub fn len(&self) -> usize {
        self.0.map_or(0, |group| group.instances.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shortest part of a node id, in hexadecimal digits, by which a node can be found.
const ID_PREFIX_DIGITS_MIN: usize = 4;

impl Version {
    /// All nodes in order of their lower-case names.
    pub fn nodes(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Arc<Node>> + use<'_>) {
        (self.table_index(Table::Nodes, watch), self.tables.catalog.nodes.values().map(|entry| &entry.node))
    }

    /// Sorted tags by service name.
    pub fn services(&self, watch: &mut WatchSet) -> (u64, BTreeMap<&str, &[String]>) {
        let groups = self.tables.catalog.services.values();
        let names =
            groups.flat_map(|group| group.tags()).map(|(name, tags)| (name.as_str(), tags.as_slice()));
        (self.table_index(Table::Services, watch), names.collect())
    }

    /// Every instance of every service, by service name. The index covers nodes and services.
    pub fn all_instances(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Instance> + use<'_>) {
        let index = self.table_index(Table::Nodes, watch).max(self.table_index(Table::Services, watch));
        (index, self.tables.catalog.services.values().flat_map(|group| group.instances.values()))
    }

    /// Instances of a service, whatever the letter case of `name`. The index moves with anything that concerns one of
    /// them, and with nothing else. While there is none it is that of the last disappearance of any service.
    pub fn check_service_nodes(
        &self,
        name: &str,
        lookup: Lookup,
        watch: &mut WatchSet,
    ) -> (u64, Instances<'_>) {
        let lower = names::lower(name);
        let (groups, topic) = match lookup {
            Lookup::Service => (&self.tables.catalog.services, Topic::service(&lower)),
            Lookup::Connect => (&self.tables.catalog.connect, Topic::connect(&lower)),
        };
        watch.add(topic);
        match groups.get(&*lower) {
            Some(group) => (group.index.max(1), Instances(Some(group))),
            None => (self.absent_service_index(watch), Instances(None)),
        }
    }

    fn absent_service_index(&self, watch: &mut WatchSet) -> u64 {
        if self.tables.indexes.get(Table::ServiceExtinction) == 0 {
            return self.table_index(Table::Services, watch);
        }
        self.table_index(Table::ServiceExtinction, watch)
    }

    /// A node with its services and checks, by name or id, or by the beginning of an id that only it has. The index
    /// is that of the node and its services; 1 for an unknown node.
    pub fn node_services(&self, name_or_id: &str, watch: &mut WatchSet) -> (u64, Option<&NodeEntry>) {
        let lower = names::lower(name_or_id);
        let catalog = &self.tables.catalog;
        let by_name = catalog.entry(&lower);
        let Some(entry) = by_name.or_else(|| catalog.by_id(&lower)).or_else(|| self.by_id_prefix(&lower))
        else {
            watch.table(Table::Nodes);
            return (1, None);
        };
        watch.add(Topic::node(&names::lower(&entry.node.node)));
        (entry.index.max(1), Some(entry))
    }

    /// The node with this name. Not for blocking reads: it records nothing.
    pub fn node(&self, name: &str) -> Option<&NodeEntry> {
        self.tables.catalog.entry(&names::lower(name)).map(|entry| &**entry)
    }

    /// The node with this id. Not for blocking reads.
    pub fn node_by_id(&self, id: &str) -> Option<&NodeEntry> {
        self.tables.catalog.by_id(id).map(|entry| &**entry)
    }

    fn by_id_prefix(&self, lower: &str) -> Option<&Arc<NodeEntry>> {
        let digits: String = lower.chars().filter(|c| *c != '-').collect();
        if digits.len() < ID_PREFIX_DIGITS_MIN || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let first = Uuid::from_prefix(&digits)?;
        let ids = &self.tables.catalog.ids;
        let mut matching = ids.range(first..).take_while(|(id, _)| id.starts_with(&digits));
        let (_, name) = matching.next()?;
        if matching.next().is_some() { None } else { self.tables.catalog.nodes.get(name) }
    }

    /// Checks of the node with this name and of the instances on it. Index of all checks.
    pub fn node_checks(&self, node: &str, watch: &mut WatchSet) -> (u64, Vec<&Arc<HealthCheck>>) {
        let index = self.table_index(Table::Checks, watch);
        let entry = self.tables.catalog.entry(&names::lower(node));
        (index, entry.into_iter().flat_map(|entry| entry.checks()).collect())
    }

    /// Checks of the instances of a service, without those of their nodes. Index of all checks.
    pub fn service_checks(&self, service: &str, watch: &mut WatchSet) -> (u64, Vec<&Arc<HealthCheck>>) {
        let index = self.table_index(Table::Checks, watch);
        let group = self.tables.catalog.services.get(&*names::lower(service));
        let checks = group.into_iter().flat_map(|group| group.instances.values());
        let checks = checks.flat_map(|instance| instance.checks.iter());
        (index, checks.filter(|check| !check.service_id.is_empty()).collect())
    }

    /// Checks in a state (`any` for all), with their nodes. Index of all checks.
    pub fn checks_in_state<'a>(
        &'a self,
        state: &'a str,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = (&'a Arc<Node>, &'a Arc<HealthCheck>)> + use<'a>) {
        let index = self.table_index(Table::Checks, watch);
        let all = self.tables.catalog.nodes.values();
        let all = all.flat_map(|entry| entry.checks().map(move |check| (&entry.node, check)));
        (index, all.filter(move |(_, check)| state == "any" || check.status == state))
    }

    /// Every node with its services and checks. The index covers nodes, services and checks.
    pub fn node_dump(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &NodeEntry> + use<'_>) {
        (self.catalog_index(watch), self.tables.catalog.nodes.values().map(|entry| &**entry))
    }

    /// One node with its services and checks, by name. Index as [`Version::node_dump`].
    pub fn node_info(&self, name: &str, watch: &mut WatchSet) -> (u64, Option<&NodeEntry>) {
        (self.catalog_index(watch), self.node(name))
    }

    /// Every instance of every service with its checks, by service name. Index as [`Version::node_dump`].
    pub fn service_dump(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Instance> + use<'_>) {
        let groups = self.tables.catalog.services.values();
        (self.catalog_index(watch), groups.flat_map(|group| group.instances.values()))
    }

    /// Numbers of nodes, services and service instances.
    pub fn catalog_counts(&self) -> (usize, usize, usize) {
        let catalog = &self.tables.catalog;
        let instances = catalog.services.values().map(|group| group.instances.len()).sum();
        (catalog.nodes.len(), catalog.services.len(), instances)
    }

    fn catalog_index(&self, watch: &mut WatchSet) -> u64 {
        let tables = [Table::Nodes, Table::Services, Table::Checks];
        tables.map(|table| self.table_index(table, watch)).into_iter().max().unwrap_or(1)
    }
}
