//! `Health.*`.

use std::sync::Arc;

use consul_api::types::health::HealthCheck;
use consul_rpc::messages::catalog::{ChecksInStateRequest, HealthChecks, ServiceSpecificRequest};
use consul_rpc::messages::encode;

use super::RemoteRead;
use super::catalog::{filters, one_node};
use super::common::{answer, query_options, source_of};
use crate::rpc::health::{CheckList, ChecksOf};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for CheckList {
    fn method(&self) -> &'static str {
        match self.of {
            ChecksOf::Node(_) => "Health.NodeChecks",
            ChecksOf::Service(_) => "Health.ServiceChecks",
            ChecksOf::State(_) => "Health.ChecksInState",
        }
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let datacenter = options.datacenter.clone();
        let node_meta_filters = filters(&self.node_meta);
        let source = source_of(&self.near, options);
        let shared = query_options(options);
        match &self.of {
            ChecksOf::Node(node) => one_node(node, options),
            ChecksOf::Service(service) => {
                let service_name = service.clone();
                let rest = ServiceSpecificRequest::default();
                let own =
                    ServiceSpecificRequest { datacenter, node_meta_filters, service_name, source, ..rest };
                encode(&own, &shared)
            }
            ChecksOf::State(state) => {
                let state = state.clone();
                encode(&ChecksInStateRequest { datacenter, node_meta_filters, state, source }, &shared)
            }
        }
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, found) = answer::<HealthChecks<Vec<Arc<HealthCheck>>>>(body)?;
        Ok((meta, found.health_checks))
    }
}
