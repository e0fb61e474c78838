//! `/v1/internal/*`: what the web UI is built on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use consul_api::types::StringMap;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::HealthCheck;
use consul_filter::{Filter, HealthRow, Schema, Subject, Value};
use http::{Method, StatusCode};
use serde::Serialize;

use super::selection;
use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::gateway::{GatewayService, GatewayServices};
use crate::rpc::internal::{AllInstances, NodeDetail, NodeDetails, ServiceSummary, summarize};
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError};

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/internal/ui/nodes", GET, handler!(nodes)).with_failure_meta(),
    Route::prefix("/v1/internal/ui/node/", GET, handler!(node)).with_failure_meta(),
    Route::exact("/v1/internal/ui/services", GET, handler!(services)).with_failure_meta(),
    Route::prefix("/v1/internal/ui/gateway-services-nodes/", GET, handler!(gateway_services))
        .with_failure_meta(),
    Route::exact("/v1/internal/federation-states", GET, handler!(federation_states)).with_failure_meta(),
    Route::exact("/v1/internal/federation-states/mesh-gateways", GET, handler!(mesh_gateways))
        .with_failure_meta(),
    Route::prefix("/v1/internal/federation-state/", GET, handler!(federation_state)).with_failure_meta(),
];

/// One node as the UI lists it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeView<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: &'a str,
    tagged_addresses: Option<&'a StringMap>,
    meta: Option<&'a StringMap>,
    services: &'a [Arc<NodeService>],
    checks: &'a [Arc<HealthCheck>],
}

impl<'a> From<&'a NodeDetail> for NodeView<'a> {
    fn from(detail: &'a NodeDetail) -> Self {
        let node = &detail.node;
        Self {
            id: &node.id,
            node: &node.node,
            address: &node.address,
            tagged_addresses: node.tagged_addresses.as_ref(),
            meta: node.meta.as_ref(),
            services: &detail.services,
            checks: &detail.checks,
        }
    }
}

/// A node's detail as a filter sees it.
struct NodeRow<'a>(&'a NodeDetail);

impl Subject for NodeRow<'_> {
    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "Services" => Value::Objects(&self.0.services),
            "Checks" => Value::Objects(&self.0.checks),
            of_node => self.0.node.field(of_node),
        }
    }
}

async fn nodes(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let filter = selection::filter(&request, Schema::UiNode)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, mut details) = read_nodes(&agent, NodeDetails::All, options).await?;
    if let Some(filter) = filter {
        details.retain(|detail| filter.matches(&NodeRow(detail)));
    }
    let views: Vec<NodeView> = details.iter().map(NodeView::from).collect();
    Ok(Reply::json(&request, &views)?.with_meta(&meta, MetaHeaders::Index))
}

async fn node(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let name = request.rest_text();
    if name.is_empty() {
        return Err(Failure::bad_request("Missing node name"));
    }
    let (meta, details) = read_nodes(&agent, NodeDetails::Node(name), options).await?;
    let Some(detail) = details.first() else { return Ok(Reply::status(StatusCode::NOT_FOUND)) };
    Ok(Reply::json(&request, &NodeView::from(detail))?.with_meta(&meta, MetaHeaders::Index))
}

/// The UI must show what is known even while the cluster has no leader.
async fn read_nodes(
    agent: &Agent,
    read: NodeDetails,
    options: ReadOptions,
) -> Result<(ReadMeta, Vec<NodeDetail>), RpcError> {
    match agent.read(&read, &options).await {
        Err(RpcError::NoLeader) if options.consistency == Consistency::Default => {
            agent.read(&read, &ReadOptions { consistency: Consistency::Stale { max: None }, ..options }).await
        }
        answer => answer,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryView<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    name: &'a str,
    datacenter: &'a str,
    tags: Option<&'a BTreeSet<String>>,
    nodes: &'a [String],
    instance_count: usize,
    checks_passing: usize,
    checks_warning: usize,
    checks_critical: usize,
    external_sources: Option<&'a BTreeSet<String>>,
    gateway_config: GatewayConfig,
    transparent_proxy: bool,
    connect_native: bool,
    connected_with_proxy: bool,
    connected_with_gateway: bool,
}

/// How a service is reached through the gateway that was asked about.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GatewayConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    addresses: Vec<String>,
}

async fn services(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let filter = selection::filter(&request, Schema::CheckServiceNode)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, mut rows) = agent.read(&AllInstances, &options).await?;
    if let Some(filter) = filter {
        rows.retain(|row| matches_row(&filter, row));
    }
    let summaries = summarize(&rows);
    let datacenter =
        if options.datacenter.is_empty() { &agent.identity.datacenter } else { &options.datacenter };
    let proxied: BTreeSet<&str> =
        rows.iter().map(|row| row.service.proxy.destination_service_name.as_str()).collect();
    let views: Vec<_> = summaries
        .iter()
        .map(|(name, summary)| view(name, summary, datacenter, proxied.contains(name)))
        .collect();
    Ok(Reply::json(&request, &views)?.with_meta(&meta, MetaHeaders::Index))
}

fn matches_row(filter: &Filter, row: &consul_state::catalog::Instance) -> bool {
    let checks: Vec<_> = row.checks.iter().cloned().collect();
    filter.matches(&HealthRow { node: &row.node, service: &row.service, checks })
}

fn view<'a>(
    name: &'a str,
    summary: &'a ServiceSummary,
    datacenter: &'a str,
    proxied: bool,
) -> SummaryView<'a> {
    let unless_empty = |set: &'a BTreeSet<String>| (!set.is_empty()).then_some(set);
    SummaryView {
        kind: &summary.kind,
        name,
        datacenter,
        tags: unless_empty(&summary.tags),
        nodes: &summary.nodes,
        instance_count: summary.nodes.len(),
        checks_passing: summary.passing,
        checks_warning: summary.warning,
        checks_critical: summary.critical,
        external_sources: unless_empty(&summary.external_sources),
        gateway_config: GatewayConfig::default(),
        transparent_proxy: false,
        connect_native: summary.connect_native,
        connected_with_proxy: proxied,
        connected_with_gateway: false,
    }
}

/// The services behind a gateway, summed up.
async fn gateway_services(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.rest.is_empty() {
        return Err(Failure::bad_request("Missing gateway name"));
    }
    let options = options::read_options(&request, agent.wait_limits())?.at_once();
    let (meta, links) = agent.read(&GatewayServices { gateway: request.rest_text() }, &options).await?;
    let (_, mut rows) = agent.read(&AllInstances, &options).await?;
    rows.retain(|row| links.iter().any(|link| link.service.name.eq_ignore_ascii_case(&row.service.service)));
    let domain = agent.dns.load().domain.name().to_string();
    let datacenter = &agent.identity.datacenter;
    let summaries = summarize(&rows);
    let views: Vec<_> = summaries
        .iter()
        .map(|(name, summary)| {
            let of_service = links.iter().filter(|link| link.service.name.eq_ignore_ascii_case(name));
            let addresses = of_service.flat_map(|link| addresses(link, datacenter, &domain)).collect();
            let gateway_config = GatewayConfig { addresses };
            SummaryView {
                gateway_config,
                connected_with_gateway: true,
                ..view(name, summary, datacenter, false)
            }
        })
        .collect();
    Ok(Reply::json(&request, &views)?.with_meta(&meta, MetaHeaders::Index))
}

/// Where an ingress gateway takes connections for a service: at the names it was given, or at the service's own.
fn addresses(link: &GatewayService, datacenter: &str, domain: &str) -> Vec<String> {
    if link.port == 0 {
        return Vec::new();
    }
    let own = [format!("{}.ingress.{datacenter}.{domain}", link.service.name)];
    let hosts = if link.hosts.is_empty() { &own[..] } else { &link.hosts };
    hosts.iter().map(|host| format!("{host}:{}", link.port)).collect()
}

/// Datacenters tell each other of their mesh gateways in these; without a mesh there are none.
async fn federation_states(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let meta = federation_meta(&agent, &request).await?;
    Ok(Reply::json(&request, &[(); 0])?.with_meta(&meta, MetaHeaders::Index))
}

async fn mesh_gateways(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let meta = federation_meta(&agent, &request).await?;
    Ok(Reply::json(&request, &BTreeMap::<(), ()>::new())?.with_meta(&meta, MetaHeaders::Index))
}

async fn federation_state(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.rest.is_empty() {
        return Err(Failure::bad_request("Missing datacenter name"));
    }
    let meta = federation_meta(&agent, &request).await?;
    Ok(Reply::status(StatusCode::NOT_FOUND).with_meta(&meta, MetaHeaders::Index))
}

async fn federation_meta(agent: &Agent, request: &Request) -> Result<ReadMeta, Failure> {
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    let (meta, _) = agent.read(&NodeDetails::Node(String::new()), &options).await?;
    Ok(ReadMeta { index: 1, ..meta })
}
