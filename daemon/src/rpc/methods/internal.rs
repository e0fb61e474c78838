//! `Internal.*`.

use consul_filter::{HealthRow, Schema};
use consul_rpc::messages::Nothing;
use consul_rpc::messages::catalog::{CheckServiceNode, NodeSpecificRequest, Nodes, ServiceSpecificRequest};
use consul_rpc::messages::internal::{
    EventFireRequest, KeyringRequest, KeyringResponses, NodeDump, NodeInfo, ServiceDumpRequest,
};
use consul_rpc::server::CallError;
use serde::Serialize;

use super::Answer;
use super::call::{Call, answer, failed, refuse};
use super::health::row;
use crate::cluster::KeyringChange;
use crate::rpc::ReadMeta;
use crate::rpc::catalog::ServiceInstances;
use crate::rpc::gateway::{GatewayService, GatewayServices};
use crate::rpc::internal::{AllInstances, NodeDetail, NodeDetails};
use crate::rpc::operation::event::FireEvent;
use crate::rpc::operation::keyring::{KeyringEverywhere, KeyringOfLan};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "NodeInfo" => nodes(call, NodeDetails::Node(call.arguments::<NodeSpecificRequest>()?.node)).await,
        "NodeDump" => nodes(call, NodeDetails::All).await,
        "ServiceDump" => service_dump(call).await,
        "GatewayServiceDump" => gateway_service_dump(call).await,
        "EventFire" => event_fire(call).await,
        "KeyringOperation" => keyring(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn nodes(call: Call<'_>, request: NodeDetails) -> Answer {
    let filter = call.filter(Schema::Node)?;
    let (meta, mut details) = call.read(&request).await?;
    if let Some(filter) = filter {
        details.retain(|detail| filter.matches(&detail.node));
    }
    answer(&NodeDump { dump: details.into_iter().map(info).collect() }, &meta)
}

fn info(detail: NodeDetail) -> NodeInfo {
    NodeInfo {
        id: detail.node.id.clone(),
        node: detail.node.node.clone(),
        address: detail.node.address.clone(),
        tagged_addresses: detail.node.tagged_addresses.clone(),
        meta: detail.node.meta.clone(),
        services: detail.services,
        checks: detail.checks,
    }
}

async fn service_dump(call: Call<'_>) -> Answer {
    let sent: ServiceDumpRequest = call.arguments()?;
    let filter = call.filter(Schema::CheckServiceNode)?;
    let (meta, mut rows) = call.read(&AllInstances).await?;
    if sent.use_service_kind {
        rows.retain(|row| row.service.kind == sent.service_kind);
    }
    if let Some(filter) = filter {
        rows.retain(|row| {
            let checks: Vec<_> = row.checks.iter().cloned().collect();
            filter.matches(&HealthRow { node: &row.node, service: &row.service, checks })
        });
    }
    answer(&Nodes { nodes: rows.into_iter().map(row).collect::<Vec<_>>() }, &meta)
}

/// An instance behind a gateway, and the link between the two.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BehindGateway {
    #[serde(flatten)]
    row: CheckServiceNode,
    gateway_service: GatewayService,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GatewayDump {
    dump: Vec<BehindGateway>,
}

async fn gateway_service_dump(call: Call<'_>) -> Answer {
    let sent: ServiceSpecificRequest = call.arguments()?;
    if sent.service_name.is_empty() {
        return refuse("Must provide gateway name");
    }
    let (meta, links) = call.read(&GatewayServices { gateway: sent.service_name }).await?;
    let at_once = call.read_options()?.at_once();
    let mut dump = Vec::new();
    for link in links {
        let instances = ServiceInstances::named(&link.service.name);
        let (_, rows) = call.agent.read(&instances, &at_once).await.map_err(failed)?;
        dump.extend(
            rows.into_iter().map(|found| BehindGateway { row: row(found), gateway_service: link.clone() }),
        );
    }
    answer(&GatewayDump { dump }, &meta)
}

async fn event_fire(call: Call<'_>) -> Answer {
    let EventFireRequest { name, payload, .. } = call.arguments()?;
    let (meta, ()) = call.ask(&FireEvent { name, payload }).await?;
    answer(&Nothing {}, &ReadMeta { index: 0, ..meta })
}

async fn keyring(call: Call<'_>) -> Answer {
    let KeyringRequest { operation, key, forwarded, relay_factor, local_only, .. } = call.arguments()?;
    let Some(change) = KeyringChange::parse(&operation, key) else {
        return refuse(format!("Unrecognized keyring operation: {operation:?}"));
    };
    let (_, responses) = if forwarded {
        call.ask(&KeyringOfLan { change, relay_factor }).await?
    } else {
        call.ask(&KeyringEverywhere { change, relay_factor, local_only }).await?
    };
    answer(&KeyringResponses { responses }, &ReadMeta { index: 0, ..ReadMeta::default() })
}
