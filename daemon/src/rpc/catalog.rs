//! Catalog requests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::StringMap;
use consul_api::types::catalog::{Node, NodeService, ServiceNode, Services};
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_state::catalog::{Instance, Instances, Lookup, validate};
use consul_state::{Command, Outcome, Version, WatchSet};

use super::RpcError;
use super::gateway;
use super::near;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// All nodes, or those whose metadata has the given pairs.
#[derive(Default)]
pub struct NodeList {
    pub node_meta: StringMap,
    /// Sort by distance from this node, unless empty.
    pub near: String,
}

impl Read for NodeList {
    type Reply = Vec<Arc<Node>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, nodes) = version.nodes(seen);
        let mut nodes: Vec<_> =
            nodes.filter(|node| has_meta(node.meta.as_ref(), &self.node_meta)).cloned().collect();
        near::sort(version, &self.near, &mut nodes, |node| &node.node);
        Ok((index, nodes))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|node| authorizer.allows(Resource::Node(&node.node), Access::Read));
        Ok(reply.len() < before)
    }
}

/// Does `meta` hold every pair of `wanted`?
pub fn has_meta(meta: Option<&StringMap>, wanted: &StringMap) -> bool {
    wanted.iter().all(|(key, value)| meta.and_then(|meta| meta.get(key)) == Some(value))
}

/// Service names with their tags.
#[derive(Clone, Debug, Default)]
pub struct ServiceNames {
    pub node_meta: StringMap,
}

impl Read for ServiceNames {
    type Reply = Services;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        if self.node_meta.is_empty() {
            let (index, services) = version.services(seen);
            return Ok((
                index,
                services.into_iter().map(|(name, tags)| (name.to_owned(), tags.to_vec())).collect(),
            ));
        }
        let (index, instances) = version.all_instances(seen);
        let mut services = Services::new();
        for instance in instances.filter(|instance| has_meta(instance.node.meta.as_ref(), &self.node_meta)) {
            let tags = services.entry(instance.service.service.clone()).or_default();
            tags.extend(instance.service.tags.iter().flatten().cloned());
        }
        for tags in services.values_mut() {
            tags.sort_unstable();
            tags.dedup();
        }
        Ok((index, services))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|name, _| authorizer.allows(Resource::Service(name), Access::Read));
        Ok(reply.len() < before)
    }
}

/// Which health an instance must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HealthWanted {
    #[default]
    Any,
    /// Every check of the instance and its node passes.
    Passing,
}

/// Instances of one service.
#[derive(Clone, Debug)]
pub struct ServiceInstances {
    pub service: String,
    pub lookup: Lookup,
    /// All must be there, in any letter case.
    pub tags: Vec<String>,
    pub node_meta: StringMap,
    pub near: String,
    pub health: HealthWanted,
}

impl ServiceInstances {
    pub fn named(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            lookup: Lookup::Service,
            tags: Vec::new(),
            node_meta: StringMap::new(),
            near: String::new(),
            health: HealthWanted::Any,
        }
    }

    fn wants(&self, instance: &Instance) -> bool {
        has_tags(&instance.service, &self.tags)
            && has_meta(instance.node.meta.as_ref(), &self.node_meta)
            && (self.health == HealthWanted::Any || is_passing(instance))
    }
}

pub fn is_passing(instance: &Instance) -> bool {
    instance.checks.iter().all(|check| check.status == "passing")
}

/// Does the service carry every one of `wanted`, in any letter case? An empty tag is carried by none.
pub fn has_tags(service: &NodeService, wanted: &[String]) -> bool {
    let carries = |tag: &String| {
        !tag.is_empty() && service.tags.iter().flatten().any(|own| own.to_lowercase() == tag.to_lowercase())
    };
    wanted.iter().all(carries)
}

/// What answers for a service: its instances; or, for the mesh, its proxies, its instances that need none, and the
/// gateways behind which it is.
pub struct Answering<'a> {
    own: Instances<'a>,
    gateways: Vec<Instances<'a>>,
}

impl<'a> Answering<'a> {
    /// With the index that moves when any of them does.
    pub fn find(version: &'a Version, service: &str, lookup: Lookup, seen: &mut WatchSet) -> (u64, Self) {
        let (mut index, own) = version.check_service_nodes(service, lookup, seen);
        let mut gateways = Vec::new();
        if lookup == Lookup::Connect {
            let (changed, names) = gateway::terminating_gateways(version, service, seen);
            index = index.max(changed);
            for name in names {
                let (changed, instances) = version.check_service_nodes(name, Lookup::Service, seen);
                index = index.max(changed);
                gateways.push(instances);
            }
        }
        (index, Self { own, gateways })
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a Instance> {
        let is_gateway = |row: &&Instance| row.service.kind == validate::KIND_TERMINATING_GATEWAY;
        let behind = self.gateways.iter().flat_map(Instances::iter).filter(is_gateway);
        self.own.iter().chain(behind)
    }
}

impl Read for ServiceInstances {
    type Reply = Vec<Instance>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, instances) = Answering::find(version, &self.service, self.lookup, seen);
        let mut rows: Vec<Instance> =
            instances.iter().filter(|instance| self.wants(instance)).cloned().collect();
        near::sort(version, &self.near, &mut rows, |row| &row.node.node);
        Ok((index, rows))
    }

    fn peek(&self, version: &Version, seen: &mut WatchSet) -> Option<u64> {
        Some(Answering::find(version, &self.service, self.lookup, seen).0)
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|row| may_read(authorizer, &row.node.node, &row.service.service));
        Ok(reply.len() < before)
    }
}

/// Instances that say they are at an address.
pub struct ServicesAt {
    pub address: IpAddr,
}

impl Read for ServicesAt {
    type Reply = Vec<ServiceNode>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, instances) = version.all_instances(seen);
        let here = instances.filter(|row| is_at(&row.service.address, self.address));
        Ok((index, here.map(|row| ServiceNode::new(&row.node, &row.service)).collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|row| may_read(authorizer, &row.node, &row.service_name));
        Ok(reply.len() < before)
    }
}

/// Is it this address, however it is spelt?
pub fn is_at(text: &str, address: IpAddr) -> bool {
    text.parse::<IpAddr>().is_ok_and(|known| known == address)
}

fn may_read(authorizer: &Authorizer, node: &str, service: &str) -> bool {
    authorizer.allows(Resource::Node(node), Access::Read)
        && authorizer.allows(Resource::Service(service), Access::Read)
}

/// One node with its services. `None` if there is no such node.
pub struct NodeServicesOf {
    /// Name, id, or the beginning of an id.
    pub node: String,
}

/// A node and the instances on it, by id.
#[derive(Clone, Debug)]
pub struct NodeWithServices {
    pub node: Arc<Node>,
    pub services: BTreeMap<String, Arc<NodeService>>,
}

impl Read for NodeServicesOf {
    type Reply = Option<NodeWithServices>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, entry) = version.node_services(&self.node, seen);
        let reply = entry.map(|entry| NodeWithServices {
            node: entry.node.clone(),
            services: entry.services().map(|service| (service.id.clone(), service.clone())).collect(),
        });
        Ok((index, reply))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let Some(found) = reply else { return Ok(false) };
        if !authorizer.allows(Resource::Node(&found.node.node), Access::Read) {
            *reply = None;
            return Ok(true);
        }
        let before = found.services.len();
        found
            .services
            .retain(|_, service| authorizer.allows(Resource::Service(&service.service), Access::Read));
        Ok(found.services.len() < before)
    }
}

/// Puts a node, service or checks into the catalog.
#[derive(Clone)]
pub struct Register(pub RegisterRequest);

impl Write for Register {
    type Reply = ();

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let request = &self.0;
        let nodes = authorizer.allows(Resource::Node(&request.node), Access::Write);
        let needs_node = request.service.is_none() || !request.skip_node_update;
        require(!needs_node || nodes)?;
        let service = request.service.as_ref().map(|service| service.service.as_str());
        require(service.is_none_or(|name| authorizer.allows(Resource::Service(name), Access::Write)))?;
        let of_services = request.check.iter().chain(request.checks.iter().flatten());
        let names =
            of_services.filter(|check| !check.service_id.is_empty()).map(|check| check.service_name.as_str());
        require(
            names
                .filter(|name| !name.is_empty())
                .all(|name| authorizer.allows(Resource::Service(name), Access::Write)),
        )
    }

    fn prepare(mut self, leader: &LeaderView<'_>) -> Result<Step<()>, RpcError> {
        leader.datacenter.clone_into(&mut self.0.datacenter);
        validate::registration(&mut self.0)?;
        Ok(Step::Propose(Command::Register(Box::new(self.0))))
    }

    fn conclude(outcome: Outcome) -> Result<(), RpcError> {
        outcome.reply?;
        Ok(())
    }
}

/// Takes a service, a check or a node out of the catalog.
#[derive(Clone)]
pub struct Deregister(pub DeregisterRequest);

impl Write for Deregister {
    type Reply = ();

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        require(authorizer.allows(Resource::Node(&self.0.node), Access::Write))
    }

    fn prepare(self, _: &LeaderView<'_>) -> Result<Step<()>, RpcError> {
        validate::deregistration(&self.0)?;
        Ok(Step::Propose(Command::Deregister(self.0)))
    }

    fn conclude(outcome: Outcome) -> Result<(), RpcError> {
        outcome.reply?;
        Ok(())
    }
}
