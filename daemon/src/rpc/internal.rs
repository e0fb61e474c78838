//! What the web UI asks for: nodes with everything on them, services with their health summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::health::HealthCheck;
use consul_state::catalog::{Instance, NodeEntry};
use consul_state::{Version, WatchSet};

use super::RpcError;
use super::read::Read;

/// A node with its services and checks.
#[derive(Clone, Debug)]
pub struct NodeDetail {
    pub node: Arc<Node>,
    pub services: Vec<Arc<NodeService>>,
    pub checks: Vec<Arc<HealthCheck>>,
}

impl From<&NodeEntry> for NodeDetail {
    fn from(entry: &NodeEntry) -> Self {
        Self {
            node: entry.node.clone(),
            services: entry.services().cloned().collect(),
            checks: entry.checks().cloned().collect(),
        }
    }
}

/// Nodes with all that is on them: every one, or the one of a name.
pub enum NodeDetails {
    All,
    Node(String),
}

impl Read for NodeDetails {
    type Reply = Vec<NodeDetail>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        Ok(match self {
            Self::All => {
                let (index, entries) = version.node_dump(seen);
                (index, entries.map(NodeDetail::from).collect())
            }
            Self::Node(name) => {
                let (index, entry) = version.node_info(name, seen);
                (index, entry.into_iter().map(NodeDetail::from).collect())
            }
        })
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = count(reply);
        reply.retain(|detail| authorizer.allows(Resource::Node(&detail.node.node), Access::Read));
        for detail in reply.iter_mut() {
            detail
                .services
                .retain(|service| authorizer.allows(Resource::Service(&service.service), Access::Read));
            detail.checks.retain(|check| {
                let name = &check.service_name;
                name.is_empty() || authorizer.allows(Resource::Service(name), Access::Read)
            });
        }
        Ok(count(reply) < before)
    }
}

fn count(details: &[NodeDetail]) -> usize {
    details.iter().map(|detail| 1 + detail.services.len() + detail.checks.len()).sum()
}

/// Every instance of every service.
pub struct AllInstances;

impl Read for AllInstances {
    type Reply = Vec<Instance>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, instances) = version.service_dump(seen);
        Ok((index, instances.cloned().collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|row| {
            authorizer.allows(Resource::Node(&row.node.node), Access::Read)
                && authorizer.allows(Resource::Service(&row.service.service), Access::Read)
        });
        Ok(reply.len() < before)
    }
}

/// What the UI shows of one service.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ServiceSummary {
    pub kind: String,
    pub tags: BTreeSet<String>,
    /// The node of each instance.
    pub nodes: Vec<String>,
    pub passing: usize,
    pub warning: usize,
    pub critical: usize,
    /// Systems that registered instances, as they say in the instances' metadata.
    pub external_sources: BTreeSet<String>,
    pub connect_native: bool,
}

/// Metadata key by which a system that registers services names itself.
const EXTERNAL_SOURCE: &str = "external-source";

/// Sums up `rows` by service name. Each instance brings its node's checks along with its own.
pub fn summarize<'a>(rows: impl IntoIterator<Item = &'a Instance>) -> BTreeMap<&'a str, ServiceSummary> {
    let mut services: BTreeMap<&str, ServiceSummary> = BTreeMap::new();
    for row in rows {
        let service = &*row.service;
        let summary = services.entry(&service.service).or_default();
        summary.kind.clone_from(&service.kind);
        summary.tags.extend(service.tags.iter().flatten().cloned());
        summary.nodes.push(row.node.node.clone());
        summary.connect_native |= service.connect.native;
        let source = service.meta.as_ref().and_then(|meta| meta.get(EXTERNAL_SOURCE));
        summary.external_sources.extend(source.filter(|source| !source.is_empty()).cloned());
        for check in row.checks.iter() {
            match check.status.as_str() {
                "passing" => summary.passing += 1,
                "warning" => summary.warning += 1,
                "critical" => summary.critical += 1,
                _ => {}
            }
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(service: &str, status: &str) -> Arc<HealthCheck> {
        Arc::new(HealthCheck { service_id: service.into(), status: status.into(), ..HealthCheck::default() })
    }

    fn instance(node: &str, id: &str, tags: &[&str], status: &str) -> Instance {
        let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
        Instance {
            node: Arc::new(Node { node: node.into(), ..Node::default() }),
            service: Arc::new(NodeService {
                id: id.into(),
                service: "web".into(),
                tags,
                ..NodeService::default()
            }),
            checks: [check("", "passing"), check(id, status)].into(),
        }
    }

    #[test]
    fn instances_of_a_service_are_summed_up() {
        let rows = [
            instance("a", "1", &["y"], "passing"),
            instance("a", "2", &["x", "y"], "critical"),
            instance("b", "1", &[], "warning"),
        ];
        let services = summarize(&rows);
        let web = &services["web"];
        assert_eq!((web.passing, web.warning, web.critical), (4, 1, 1));
        assert_eq!(web.nodes, ["a", "a", "b"]);
        assert_eq!(web.tags.iter().collect::<Vec<_>>(), ["x", "y"]);
    }
}
