//! `Health.*`.

use consul_filter::{HealthRow, Schema};
use consul_rpc::messages::catalog::{
    CheckServiceNode, ChecksInStateRequest, HealthChecks, NodeSpecificRequest, Nodes, ServiceSpecificRequest,
};
use consul_rpc::server::CallError;
use consul_state::catalog::Instance;

use super::Answer;
use super::call::{Call, answer, refuse};
use super::catalog::instances;
use crate::rpc::catalog::ServiceNames;
use crate::rpc::gateway::ExposingGateways;
use crate::rpc::health::{CheckList, ChecksOf};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "ChecksInState" => checks_in_state(call).await,
        "NodeChecks" => node_checks(call).await,
        "ServiceChecks" => service_checks(call).await,
        "ServiceNodes" => service_nodes(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn checks_in_state(call: Call<'_>) -> Answer {
    let sent: ChecksInStateRequest = call.arguments()?;
    let node_meta = sent.node_meta_filters.unwrap_or_default();
    list(call, CheckList { of: ChecksOf::State(sent.state), node_meta, near: sent.source.node }).await
}

async fn node_checks(call: Call<'_>) -> Answer {
    let sent: NodeSpecificRequest = call.arguments()?;
    let of = ChecksOf::Node(sent.node);
    list(call, CheckList { of, node_meta: Default::default(), near: String::new() }).await
}

async fn service_checks(call: Call<'_>) -> Answer {
    let sent: ServiceSpecificRequest = call.arguments()?;
    let node_meta = sent.node_meta_filters.unwrap_or_default();
    let of = ChecksOf::Service(sent.service_name);
    list(call, CheckList { of, node_meta, near: sent.source.node }).await
}

async fn list(call: Call<'_>, request: CheckList) -> Answer {
    let filter = call.filter(Schema::HealthCheck)?;
    let (meta, mut health_checks) = call.read(&request).await?;
    if let Some(filter) = filter {
        health_checks.retain(|check| filter.matches(check));
    }
    answer(&HealthChecks { health_checks }, &meta)
}

async fn service_nodes(call: Call<'_>) -> Answer {
    let sent: ServiceSpecificRequest = call.arguments()?;
    if sent.service_name.is_empty() {
        return refuse("Must provide service name");
    }
    let filter = call.filter(Schema::CheckServiceNode)?;
    if !sent.peer_name.is_empty() {
        let (meta, _) = call.read(&ServiceNames::default()).await?;
        return answer(&Nodes { nodes: Vec::<CheckServiceNode>::new() }, &meta);
    }
    let ingress = sent.ingress;
    let instances = instances(sent);
    let (meta, mut rows) = if ingress {
        call.read(&ExposingGateways { instances }).await?
    } else {
        call.read(&instances).await?
    };
    if let Some(filter) = filter {
        rows.retain(|row| {
            let checks: Vec<_> = row.checks.iter().cloned().collect();
            filter.matches(&HealthRow { node: &row.node, service: &row.service, checks })
        });
    }
    answer(&Nodes { nodes: rows.into_iter().map(row).collect::<Vec<_>>() }, &meta)
}

/// An instance as it travels.
pub fn row(instance: Instance) -> CheckServiceNode {
    CheckServiceNode { node: instance.node, service: instance.service, checks: instance.checks }
}
