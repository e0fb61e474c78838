//! `Catalog.*`.

use consul_api::types::catalog::ServiceNode;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_filter::{Schema, ServiceRow};
use consul_rpc::messages::catalog::{
    DcSpecificRequest, IndexedNodeServices, NodeServiceList, NodeServices, NodeSpecificRequest, Nodes,
    ServiceName, ServiceNodes, ServiceSpecificRequest, Services,
};
use consul_rpc::messages::{Nothing, value};
use consul_rpc::server::CallError;
use consul_state::catalog::Lookup;

use super::Answer;
use super::call::{Call, answer, failed, refuse};
use crate::rpc::ReadMeta;
use crate::rpc::catalog::{
    Deregister, NodeList, NodeServicesOf, NodeWithServices, Register, ServiceInstances, ServiceNames,
    ServicesAt,
};
use crate::rpc::gateway::GatewayServices;
use crate::rpc::operation::datacenters::ListDatacenters;

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Register" => register(call).await,
        "Deregister" => deregister(call).await,
        "ListDatacenters" => list_datacenters(call).await,
        "ListNodes" => list_nodes(call).await,
        "ListServices" => list_services(call).await,
        "ServiceList" => service_list(call).await,
        "ServiceNodes" => service_nodes(call).await,
        "NodeServices" => node_services(call).await,
        "NodeServiceList" => node_service_list(call).await,
        "GatewayServices" => gateway_services(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn gateway_services(call: Call<'_>) -> Answer {
    let sent: ServiceSpecificRequest = call.arguments()?;
    if sent.service_name.is_empty() {
        return refuse("Must provide gateway name");
    }
    let (meta, services) = call.read(&GatewayServices { gateway: sent.service_name }).await?;
    answer(&Services { services }, &meta)
}

async fn register(call: Call<'_>) -> Answer {
    let sent: RegisterRequest = call.arguments()?;
    call.write(Register(sent)).await?;
    Ok(value(&Nothing {}))
}

async fn deregister(call: Call<'_>) -> Answer {
    let sent: DeregisterRequest = call.arguments()?;
    call.write(Deregister(sent)).await?;
    Ok(value(&Nothing {}))
}

async fn list_datacenters(call: Call<'_>) -> Answer {
    let options = call.options_here()?;
    let (_, names) = call.agent.operate(&ListDatacenters, &options).await.map_err(failed)?;
    Ok(value(&names))
}

async fn list_nodes(call: Call<'_>) -> Answer {
    let sent: DcSpecificRequest = call.arguments()?;
    let filter = call.filter(Schema::Node)?;
    let node_meta = sent.node_meta_filters.unwrap_or_default();
    let (meta, mut nodes) = call.read(&NodeList { node_meta, near: sent.source.node }).await?;
    if let Some(filter) = filter {
        nodes.retain(|node| filter.matches(node));
    }
    answer(&Nodes { nodes }, &meta)
}

async fn list_services(call: Call<'_>) -> Answer {
    let sent: DcSpecificRequest = call.arguments()?;
    let node_meta = sent.node_meta_filters.unwrap_or_default();
    let (meta, services) = call.read(&ServiceNames { node_meta }).await?;
    answer(&Services { services }, &meta)
}

async fn service_list(call: Call<'_>) -> Answer {
    let (meta, services) = call.read(&ServiceNames::default()).await?;
    let services: Vec<ServiceName> = services.into_keys().map(|name| ServiceName { name }).collect();
    answer(&Services { services }, &meta)
}

/// The tags that instances must have. Old callers name one, and where no tag is to be looked at it means nothing.
pub fn wanted_tags(sent: &ServiceSpecificRequest) -> Vec<String> {
    if !sent.tag_filter {
        return Vec::new();
    }
    let many = sent.service_tags.clone().unwrap_or_default();
    if many.is_empty() { vec![sent.service_tag.clone()] } else { many }
}

/// The instances that arguments ask for.
pub fn instances(sent: ServiceSpecificRequest) -> ServiceInstances {
    ServiceInstances {
        lookup: if sent.connect { Lookup::Connect } else { Lookup::Service },
        tags: wanted_tags(&sent),
        node_meta: sent.node_meta_filters.unwrap_or_default(),
        near: sent.source.node,
        ..ServiceInstances::named(sent.service_name)
    }
}

async fn service_nodes(call: Call<'_>) -> Answer {
    let sent: ServiceSpecificRequest = call.arguments()?;
    if sent.service_name.is_empty() && sent.service_address.is_empty() {
        return refuse("Must provide service name");
    }
    let filter = call.filter(Schema::ServiceNode)?;
    if !sent.peer_name.is_empty() {
        return nothing(call).await;
    }
    if !sent.service_address.is_empty() {
        return services_at(call, &sent.service_address).await;
    }
    let (meta, mut rows) = call.read(&instances(sent)).await?;
    if let Some(filter) = filter {
        rows.retain(|row| filter.matches(&ServiceRow { node: &row.node, service: &row.service }));
    }
    let service_nodes: Vec<ServiceNode> =
        rows.iter().map(|row| ServiceNode::new(&row.node, &row.service)).collect();
    answer(&ServiceNodes { service_nodes }, &meta)
}

/// An address that is none has no services.
async fn services_at(call: Call<'_>, address: &str) -> Answer {
    let Ok(address) = address.parse() else { return nothing(call).await };
    let (meta, service_nodes) = call.read(&ServicesAt { address }).await?;
    answer(&ServiceNodes { service_nodes }, &meta)
}

/// Nothing, as of now.
async fn nothing(call: Call<'_>) -> Answer {
    let (meta, _) = call.read(&ServiceNames::default()).await?;
    answer(&ServiceNodes { service_nodes: Vec::<ServiceNode>::new() }, &meta)
}

async fn of_node(call: Call<'_>) -> Result<(ReadMeta, Option<NodeWithServices>), CallError> {
    let sent: NodeSpecificRequest = call.arguments()?;
    if sent.node.is_empty() {
        return refuse("Must provide node");
    }
    let filter = call.filter(Schema::NodeService)?;
    let (meta, mut found) = call.read(&NodeServicesOf { node: sent.node }).await?;
    if let (Some(found), Some(filter)) = (&mut found, filter) {
        found.services.retain(|_, service| filter.matches(service));
    }
    Ok((meta, found))
}

async fn node_services(call: Call<'_>) -> Answer {
    let (meta, found) = of_node(call).await?;
    let node_services =
        found.map(|found| NodeServices { node: Some(found.node), services: Some(found.services) });
    answer(&IndexedNodeServices { node_services }, &meta)
}

async fn node_service_list(call: Call<'_>) -> Answer {
    let (meta, found) = of_node(call).await?;
    let node_services = found.map_or_else(NodeServiceList::default, |found| NodeServiceList {
        node: Some(found.node),
        services: Some(found.services.into_values().collect()),
    });
    answer(&IndexedNodeServices { node_services }, &meta)
}
