//! Which question of the HTTP API answers a dependency.

use crate::dependency::{Dependency, Scope};

/// A question of the HTTP API: what belongs to a dependency, without what is the same for all, such as the
/// index of a blocking query or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path, not escaped: the segments of a key may hold anything.
    pub path: String,
    /// Names and values, not escaped.
    pub query: Vec<(&'static str, String)>,
}

impl Dependency {
    /// The endpoint that answers this with the same words as [`Data::from_answer`](crate::Data::from_answer)
    /// reads; `None` for what is on this machine. The agent's own node is at [`Endpoint::node`] once its name is
    /// known from `/v1/agent/self`, which is what this returns for it.
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(match self {
            Dependency::Service(query) => {
                let kind = if query.connect { "connect" } else { "service" };
                let mut found =
                    Endpoint::new(format!("/v1/health/{kind}/{}", query.name)).scope(&query.scope);
                found.add("near", query.near.as_ref());
                found.add("tag", query.tag.as_ref());
                if query.only_passing() {
                    found.query.push(("passing", "1".into()));
                }
                found
            }
            Dependency::Services(scope) => Endpoint::new("/v1/catalog/services").scope(scope),
            Dependency::Nodes { scope, near } => {
                let mut found = Endpoint::new("/v1/catalog/nodes").scope(scope);
                found.add("near", near.as_ref());
                found
            }
            Dependency::Node { name: None, .. } => Endpoint::new("/v1/agent/self"),
            Dependency::Node { name: Some(name), scope } => Endpoint::node(name, scope),
            Dependency::Datacenters { .. } => Endpoint::new("/v1/catalog/datacenters"),
            Dependency::Key { key, scope } | Dependency::KeyIfAny { key, scope } => {
                Endpoint::new(format!("/v1/kv/{key}")).scope(scope)
            }
            Dependency::Keys { prefix, scope } => {
                let mut found = Endpoint::new(format!("/v1/kv/{prefix}")).scope(scope);
                found.query.push(("recurse", String::new()));
                found
            }
            Dependency::CaRoots => Endpoint::new("/v1/agent/connect/ca/roots"),
            Dependency::CaLeaf { service } => Endpoint::new(format!("/v1/agent/connect/ca/leaf/{service}")),
            Dependency::File { .. } => return None,
            Dependency::Peerings { partition } => Endpoint::of_partition("/v1/peerings", partition),
            Dependency::Partitions => Endpoint::new("/v1/partitions"),
            Dependency::ExportedServices { partition } => {
                Endpoint::of_partition("/v1/exported-services", partition)
            }
            Dependency::ImportedServices { partition } => {
                Endpoint::of_partition("/v1/imported-services", partition)
            }
        })
    }
}

impl Endpoint {
    /// Where a node and its services are.
    pub fn node(name: &str, scope: &Scope) -> Endpoint {
        Endpoint::new(format!("/v1/catalog/node/{name}")).scope(scope)
    }

    fn new(path: impl Into<String>) -> Endpoint {
        Endpoint { path: path.into(), query: Vec::new() }
    }

    fn of_partition(path: &str, partition: &Option<String>) -> Endpoint {
        let mut found = Endpoint::new(path);
        found.add("partition", partition.as_ref());
        found
    }

    fn add(&mut self, name: &'static str, value: Option<&String>) {
        self.query.extend(value.map(|value| (name, value.clone())));
    }

    fn scope(mut self, scope: &Scope) -> Endpoint {
        self.add("dc", scope.datacenter.as_ref());
        self.add("partition", scope.partition.as_ref());
        self.add("ns", scope.namespace.as_ref());
        self.add("peer", scope.peer.as_ref());
        self.add("sameness-group", scope.sameness_group.as_ref());
        self
    }
}
