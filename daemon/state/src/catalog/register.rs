//! Registration and deregistration as agents and operators send them.

use consul_api::types::catalog::Node;
use consul_api::types::health::HealthCheck;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};

use super::NodeEntry;
use crate::command::Reply;
use crate::error::ApplyError;
use crate::names;
use crate::writer::Writer;

impl Writer {
    pub(crate) fn register(&mut self, request: &RegisterRequest) -> Result<Reply, ApplyError> {
        if self.node_entry(&request.node).is_none_or(|entry| changes_node(request, entry)) {
            let node = Node {
                id: request.id.clone(),
                node: request.node.clone(),
                address: request.address.clone(),
                datacenter: request.datacenter.clone(),
                tagged_addresses: request.tagged_addresses.clone(),
                meta: request.node_meta.clone(),
                create_index: 0,
                modify_index: 0,
            };
            self.ensure_node(node).map_err(|error| ApplyError::InsertingNode(error.into()))?;
        }
        if let Some(service) = &request.service {
            let stored = self.ensure_service(&request.node, service);
            stored.map_err(|error| ApplyError::InsertingService(error.into()))?;
        }
        for check in request.check.iter().chain(request.checks.iter().flatten()) {
            self.register_check(&request.node, check)?;
        }
        Ok(Reply::Done)
    }

    fn register_check(&mut self, node: &str, check: &HealthCheck) -> Result<(), ApplyError> {
        if !names::same(&check.node, node) {
            return Err(ApplyError::CheckNode { check: check.node.clone(), node: node.to_owned() });
        }
        self.ensure_check(check)
            .map_err(|error| ApplyError::InsertingCheck { reason: error.into(), node: check.node.clone() })
    }

    /// Removes a service, else a check, else the node. What is not there is gone already.
    pub(crate) fn deregister(&mut self, request: &DeregisterRequest) -> Reply {
        let lower = request.node.to_lowercase();
        if !request.service_id.is_empty() {
            self.delete_service(&lower, &request.service_id.to_lowercase());
        } else if !request.check_id.is_empty() {
            self.delete_check(&lower, &request.check_id.to_lowercase());
        } else {
            self.delete_node(&lower);
        }
        Reply::Done
    }
}

fn changes_node(request: &RegisterRequest, entry: &NodeEntry) -> bool {
    let node = &entry.node;
    let same = request.id == node.id
        && request.node == node.node
        && request.address == node.address
        && request.datacenter == node.datacenter
        && request.tagged_addresses == node.tagged_addresses
        && request.node_meta == node.meta;
    !request.skip_node_update && !same
}
