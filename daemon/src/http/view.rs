//! Catalog objects as the API shows them, written from shared pointers without copying.
//!
//! The API shows absent tag lists as `[]`, while the store keeps what was registered.

use std::sync::Arc;

use consul_api::types::catalog::{Node, NodeService, ServiceNode};
use consul_api::types::health::HealthCheck;
use consul_state::catalog::Instance;
use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};

/// A nested service.
pub struct ServiceView<'a>(pub &'a NodeService);

/// A health check.
pub struct CheckView<'a>(pub &'a HealthCheck);

/// A list of health checks.
pub struct ChecksView<'a>(pub &'a [Arc<HealthCheck>]);

/// Node, service and checks: one row of `/v1/health/service`.
pub struct InstanceView<'a>(pub &'a Instance);

/// Node and service in one flat object: one row of `/v1/catalog/service`.
pub struct FlatView<'a>(pub &'a Instance);

impl Serialize for ServiceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.tags.is_some() {
            return self.0.serialize(serializer);
        }
        NodeService { tags: Some(Vec::new()), ..self.0.clone() }.serialize(serializer)
    }
}

impl Serialize for CheckView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.service_tags.is_some() {
            return self.0.serialize(serializer);
        }
        HealthCheck { service_tags: Some(Vec::new()), ..self.0.clone() }.serialize(serializer)
    }
}

impl Serialize for ChecksView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for check in self.0 {
            list.serialize_element(&CheckView(check))?;
        }
        list.end()
    }
}

impl Serialize for InstanceView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("CheckServiceNode", 3)?;
        row.serialize_field::<Node>("Node", &self.0.node)?;
        row.serialize_field("Service", &ServiceView(&self.0.service))?;
        row.serialize_field("Checks", &ChecksView(&self.0.checks))?;
        row.end()
    }
}

impl Serialize for FlatView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut flat = ServiceNode::new(&self.0.node, &self.0.service);
        flat.service_tags.get_or_insert_default();
        flat.service_meta.get_or_insert_default();
        flat.serialize(serializer)
    }
}
