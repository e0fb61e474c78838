//! Service instances, and the prepared views of them that reads return.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::catalog::{NodeService, Weights};
use consul_api::types::health::HealthCheck;

use super::{Instance, InstanceKey, NodeEntry, ServiceGroup, connect_name, validate};
use crate::error::ApplyError;
use crate::names;
use crate::table::Table;
use crate::watch::Topic;
use crate::writer::Writer;

/// The two maps of groups an instance may be in.
#[derive(Clone, Copy)]
enum Group {
    Service,
    Connect,
}

impl Writer {
    /// Stores an instance on an existing node.
    pub(crate) fn ensure_service(&mut self, node: &str, service: &NodeService) -> Result<(), ApplyError> {
        let lower = node.to_lowercase();
        let Some(entry) = self.tables.catalog.entry(&lower) else { return Err(ApplyError::MissingNode) };
        if let Err(reason) = validate::service_meta(service.meta.as_ref()) {
            let (node, id) = (node.to_owned(), service.id.clone());
            return Err(ApplyError::ServiceMeta { node, id, reason });
        }
        if service.id.is_empty() || service.service.is_empty() {
            return Err(ApplyError::MissingPrimaryIndex("service"));
        }
        let mut service = service.clone();
        service.weights = Some(usable_weights(service.weights));
        let id: Arc<str> = service.id.to_lowercase().into();
        let existing = entry.services.get(&*id).cloned();
        service.create_index = existing.as_ref().map_or(self.index, |known| known.create_index);
        service.modify_index = existing.as_ref().map_or(self.index, |known| known.modify_index);
        if existing.as_deref() == Some(&service) {
            return Ok(());
        }
        service.modify_index = self.index;
        if let Some(known) = existing {
            self.leave_groups(&lower, &known, Some(&service));
        }
        self.with_entry(&lower, |entry| {
            entry.services.insert(Arc::clone(&id), Arc::new(service));
        });
        self.touch(Table::Services);
        self.touch_node(&lower);
        self.refresh_instance(&lower, &id);
        Ok(())
    }

    /// Removes an instance and its checks. `id` in lower case.
    pub(crate) fn delete_service(&mut self, lower: &str, id: &str) {
        let Some(entry) = self.tables.catalog.entry(lower) else { return };
        let Some(service) = entry.services.get(id).cloned() else { return };
        let of_service = |check: &&Arc<HealthCheck>| names::same(&check.service_id, id);
        let checks: Vec<String> =
            entry.checks().filter(of_service).map(|check| check.check_id.to_lowercase()).collect();
        for check in checks {
            self.drop_check(lower, &check);
        }
        self.with_entry(lower, |entry| {
            entry.services.remove(id);
        });
        self.leave_groups(lower, &service, None);
        self.touch(Table::Services);
        self.touch_node(lower);
    }

    /// Takes an instance out of the groups that `successor`, if any, will not be in.
    fn leave_groups(&mut self, lower: &str, service: &NodeService, successor: Option<&NodeService>) {
        let key = InstanceKey { node: lower.into(), id: service.id.to_lowercase().into() };
        let name = service.service.to_lowercase();
        if successor.is_none_or(|next| next.service.to_lowercase() != name) {
            self.leave_group(Group::Service, &name, &key);
        }
        let Some(name) = connect_name(service) else { return };
        if successor.and_then(connect_name).as_ref() != Some(&name) {
            self.leave_group(Group::Connect, &name, &key);
        }
    }

    fn leave_group(&mut self, kind: Group, name: &str, key: &InstanceKey) {
        let index = self.index;
        self.changes.topic(topic(kind, name));
        let catalog = self.catalog();
        let groups = match kind {
            Group::Service => &mut catalog.services,
            Group::Connect => &mut catalog.connect,
        };
        let Some(group) = groups.get_mut(name) else { return };
        let group = Arc::make_mut(group);
        group.remove(key);
        group.index = index;
        if group.instances.is_empty() {
            groups.remove(name);
            self.touch(Table::ServiceExtinction);
        }
    }

    /// Renews the views of every instance on a node, after the node or a check of the node itself changed.
    pub(crate) fn refresh_instances_of(&mut self, lower: &str) {
        let Some(entry) = self.tables.catalog.entry(lower) else { return };
        for instance in views(entry) {
            self.put_view(lower, instance);
        }
    }

    /// Renews the views of one instance. `id` in lower case.
    pub(crate) fn refresh_instance(&mut self, lower: &str, id: &str) {
        let Some(entry) = self.tables.catalog.entry(lower) else { return };
        let Some(service) = entry.services.get(id) else { return };
        let node_checks = entry.checks().filter(|check| check.service_id.is_empty());
        let own = entry.checks().filter(|check| names::same(&check.service_id, id));
        let checks = node_checks.chain(own).cloned().collect();
        let instance = Instance { node: Arc::clone(&entry.node), service: Arc::clone(service), checks };
        self.put_view(lower, instance);
    }

    fn put_view(&mut self, lower: &str, instance: Instance) {
        let key = InstanceKey { node: lower.into(), id: instance.service.id.to_lowercase().into() };
        if let Some(name) = connect_name(&instance.service) {
            self.join_group(Group::Connect, name, key.clone(), instance.clone());
        }
        self.join_group(Group::Service, instance.service.service.to_lowercase(), key, instance);
    }

    fn join_group(&mut self, kind: Group, name: String, key: InstanceKey, instance: Instance) {
        let index = self.index;
        self.changes.topic(topic(kind, &name));
        let catalog = self.catalog();
        let groups = match kind {
            Group::Service => &mut catalog.services,
            Group::Connect => &mut catalog.connect,
        };
        if let Some(group) = groups.get_mut(name.as_str()) {
            let group = Arc::make_mut(group);
            group.index = index;
            group.put(key, instance);
            return;
        }
        let mut group = ServiceGroup { index, ..ServiceGroup::default() };
        group.put(key, instance);
        groups.insert(name.into(), Arc::new(group));
    }
}

fn topic(kind: Group, name: &str) -> Topic {
    match kind {
        Group::Service => Topic::service(name),
        Group::Connect => Topic::connect(name),
    }
}

/// Weights that cannot be used count as not given.
fn usable_weights(weights: Option<Weights>) -> Weights {
    let usable =
        |weights: &Weights| (1..=65535).contains(&weights.passing) && (0..=65535).contains(&weights.warning);
    weights.filter(usable).unwrap_or_default()
}

/// Every instance of a node with its checks, in one pass over both.
fn views(entry: &NodeEntry) -> Vec<Instance> {
    let of_node: Vec<Arc<HealthCheck>> =
        entry.checks().filter(|check| check.service_id.is_empty()).cloned().collect();
    let mut of_service: BTreeMap<String, Vec<Arc<HealthCheck>>> = BTreeMap::new();
    for check in entry.checks().filter(|check| !check.service_id.is_empty()) {
        of_service.entry(check.service_id.to_lowercase()).or_default().push(Arc::clone(check));
    }
    let view = |(id, service): (&Arc<str>, &Arc<NodeService>)| {
        let own = of_service.get(&**id).into_iter().flatten();
        let checks = of_node.iter().chain(own).cloned().collect();
        Instance { node: Arc::clone(&entry.node), service: Arc::clone(service), checks }
    };
    entry.services.iter().map(view).collect()
}
