//! Nodes, service instances and health checks.
//!
//! Reads are many and writes few, so a write prepares what reads return: every service keeps its instances with node
//! and checks attached. A health read then costs by the instances of its own service and copies nothing.

mod check;
mod node;
mod read;
mod rebuild;
mod register;
mod service;
pub mod validate;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::HealthCheck;
use imbl::OrdMap;

pub use read::{Instances, Lookup};

use crate::id::Uuid;
use crate::names;
use crate::sorted::SortedMap;

#[derive(Clone, Default)]
pub(crate) struct Catalog {
    /// By lower-case name.
    pub nodes: OrdMap<Arc<str>, Arc<NodeEntry>>,
    /// Lower-case name by node id.
    pub ids: OrdMap<Uuid, Arc<str>>,
    /// By lower-case service name.
    pub services: OrdMap<Arc<str>, Arc<ServiceGroup>>,
    /// Proxies by the lower-case name of the service they stand for, and instances that need none.
    pub connect: OrdMap<Arc<str>, Arc<ServiceGroup>>,
}

/// A node with everything on it.
#[derive(Clone)]
pub struct NodeEntry {
    pub node: Arc<Node>,
    pub(crate) services: SortedMap<Arc<str>, Arc<NodeService>>,
    pub(crate) checks: SortedMap<Arc<str>, Arc<HealthCheck>>,
    /// When the node or one of its services last changed.
    pub(crate) index: u64,
}

impl NodeEntry {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { index: node.modify_index, node, services: SortedMap::default(), checks: SortedMap::default() }
    }

    /// Instances on this node in order of their ids.
    pub fn services(&self) -> impl Iterator<Item = &Arc<NodeService>> + Clone {
        self.services.values()
    }

    /// Checks of the node and of the instances on it, in order of their ids.
    pub fn checks(&self) -> impl Iterator<Item = &Arc<HealthCheck>> + Clone {
        self.checks.values()
    }

    /// The instance with this id, in any letter case.
    pub fn service(&self, id: &str) -> Option<&Arc<NodeService>> {
        self.services.get(&*names::lower(id))
    }

    /// The check with this id, in any letter case.
    pub fn check(&self, id: &str) -> Option<&Arc<HealthCheck>> {
        self.checks.get(&*names::lower(id))
    }
}

/// An instance of a service with all that decides about its health.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub node: Arc<Node>,
    pub service: Arc<NodeService>,
    /// Checks of the node first, then those of the instance, each in order of their ids.
    pub checks: Arc<[Arc<HealthCheck>]>,
}

/// Lower-case node name and service id: instances sort by node, then id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct InstanceKey {
    pub node: Arc<str>,
    pub id: Arc<str>,
}

/// All instances that answer to one name.
#[derive(Default)]
pub(crate) struct ServiceGroup {
    pub instances: SortedMap<InstanceKey, Instance>,
    /// When anything about the instances last changed.
    pub index: u64,
    /// Computed by the first read after a change.
    tags: OnceLock<BTreeMap<String, Vec<String>>>,
}

impl Clone for ServiceGroup {
    /// A group is cloned in order to change it, so what was derived from it is left behind.
    fn clone(&self) -> Self {
        Self { instances: self.instances.clone(), index: self.index, tags: OnceLock::new() }
    }
}

impl ServiceGroup {
    /// Tags of all instances, sorted, by the spellings of the service's name.
    pub fn tags(&self) -> &BTreeMap<String, Vec<String>> {
        self.tags.get_or_init(|| {
            let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for instance in self.instances.values() {
                let service = &instance.service;
                let tags = by_name.entry(service.service.clone()).or_default();
                tags.extend(service.tags.iter().flatten().cloned());
            }
            for tags in by_name.values_mut() {
                tags.sort_unstable();
                tags.dedup();
            }
            by_name
        })
    }

    pub fn put(&mut self, key: InstanceKey, instance: Instance) {
        self.tags = OnceLock::new();
        self.instances.insert(key, instance);
    }

    pub fn remove(&mut self, key: &InstanceKey) {
        self.tags = OnceLock::new();
        self.instances.remove(key);
    }
}

/// The service whose traffic this instance accepts as part of the mesh, if it does.
pub(crate) fn connect_name(service: &NodeService) -> Option<String> {
    if service.kind == validate::KIND_CONNECT_PROXY {
        return Some(service.proxy.destination_service_name.to_lowercase());
    }
    service.connect.native.then(|| service.service.to_lowercase())
}
