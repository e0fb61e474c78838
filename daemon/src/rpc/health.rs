//! Health requests.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::StringMap;
use consul_api::types::health::HealthCheck;
use consul_state::{Version, WatchSet};

use super::RpcError;
use super::catalog::has_meta;
use super::near;
use super::read::Read;

/// Which checks to list.
pub enum ChecksOf {
    /// Of the node with this name and of the services on it.
    Node(String),
    /// Of the instances of a service.
    Service(String),
    /// In a state; `any` for all.
    State(String),
}

pub struct CheckList {
    pub of: ChecksOf,
    pub node_meta: StringMap,
    pub near: String,
}

impl Read for CheckList {
    type Reply = Vec<Arc<HealthCheck>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, mut checks): (u64, Vec<Arc<HealthCheck>>) = match &self.of {
            ChecksOf::Node(node) => {
                let (index, checks) = version.node_checks(node, seen);
                (index, checks.into_iter().cloned().collect())
            }
            ChecksOf::Service(service) => {
                let (index, checks) = version.service_checks(service, seen);
                (index, checks.into_iter().cloned().collect())
            }
            ChecksOf::State(state) => {
                let (index, checks) = version.checks_in_state(state, seen);
                (index, checks.map(|(_, check)| check.clone()).collect())
            }
        };
        if !self.node_meta.is_empty() {
            checks.retain(|check| {
                version
                    .node(&check.node)
                    .is_some_and(|entry| has_meta(entry.node.meta.as_ref(), &self.node_meta))
            });
        }
        near::sort(version, &self.near, &mut checks, |check| &check.node);
        Ok((index, checks))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|check| {
            authorizer.allows(Resource::Node(&check.node), Access::Read)
                && (check.service_name.is_empty()
                    || authorizer.allows(Resource::Service(&check.service_name), Access::Read))
        });
        Ok(reply.len() < before)
    }
}
