//! `/v1/catalog/*`.

use std::sync::Arc;

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use consul_filter::{Filter, Schema, ServiceRow};
use consul_state::catalog::Lookup;
use http::Method;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::selection;
use crate::agent::Agent;
use crate::cache::Caching;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::http::translate;
use crate::http::view::{FlatView, ServiceView};
use crate::rpc::catalog::{
    Deregister, NodeList, NodeServicesOf, NodeWithServices, Register, ServiceInstances, ServiceNames,
};
use crate::rpc::gateway::GatewayServices;
use crate::rpc::operation::datacenters::ListDatacenters;
use crate::rpc::{ReadOptions, WriteOptions};

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];
const HEADERS: MetaHeaders = MetaHeaders::IndexAndConsistency;

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/catalog/register", PUT, handler!(register)),
    Route::exact("/v1/catalog/deregister", PUT, handler!(deregister)),
    Route::exact("/v1/catalog/datacenters", GET, handler!(datacenters)),
    Route::exact("/v1/catalog/nodes", GET, handler!(nodes)).with_failure_meta(),
    Route::exact("/v1/catalog/services", GET, handler!(services)).with_failure_meta(),
    Route::prefix("/v1/catalog/service/", GET, handler!(service)).with_failure_meta(),
    Route::prefix("/v1/catalog/connect/", GET, handler!(connect)).with_failure_meta(),
    Route::prefix("/v1/catalog/node/", GET, handler!(node)).with_failure_meta(),
    Route::prefix("/v1/catalog/node-services/", GET, handler!(node_services)).with_failure_meta(),
    Route::prefix("/v1/catalog/gateway-services/", GET, handler!(gateway_services)).with_failure_meta(),
];

async fn register(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let registration: RegisterRequest = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let options = body_datacenter(&request, &registration.datacenter);
    agent.write(Register(registration), &options).await?;
    Reply::json(&request, &true)
}

async fn deregister(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let removal: DeregisterRequest = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let options = body_datacenter(&request, &removal.datacenter);
    agent.write(Deregister(removal), &options).await?;
    Reply::json(&request, &true)
}

/// The body's datacenter counts before the parameter's.
fn body_datacenter(request: &Request, datacenter: &str) -> WriteOptions {
    let options = options::write_options(request);
    if datacenter.is_empty() {
        options
    } else {
        WriteOptions { datacenter: datacenter.to_owned(), ..options }
    }
}

async fn datacenters(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = ReadOptions { cached: request.params.has("cached"), ..ReadOptions::default() };
    if agent.caching(&options) == Caching::Bypass {
        let (_, names) = agent.operate(&ListDatacenters, &options).await?;
        return Reply::json(&request, &names);
    }
    let control = options::cache_control(&request)?;
    let (meta, names) = agent.datacenters_cached(control).await?;
    Ok(Reply::json(&request, &names)?.with_cache(&meta))
}

async fn nodes(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let filter = selection::filter(&request, Schema::Node)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let read =
        NodeList { node_meta: selection::node_meta(&request), near: selection::near(&agent, &request) };
    let (meta, mut nodes) = agent.read(&read, &options).await?;
    if let Some(filter) = filter {
        nodes.retain(|node| filter.matches(node));
    }
    if translate::applies(&agent, &options.datacenter) {
        nodes.iter_mut().for_each(translate::node);
    }
    Ok(Reply::json(&request, &nodes)?.with_meta(&meta, HEADERS))
}

async fn services(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let read = ServiceNames { node_meta: selection::node_meta(&request) };
    let (meta, services) = agent.read_cached(read, &options).await?;
    Ok(Reply::json(&request, &services)?.with_meta(&meta, HEADERS))
}

async fn service(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    instances(agent, request, Lookup::Service).await
}

async fn connect(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    instances(agent, request, Lookup::Connect).await
}

async fn instances(agent: Arc<Agent>, request: Request, lookup: Lookup) -> Result<Reply, Failure> {
    let name = selection::required(&request, "Missing service name")?;
    let filter = selection::filter(&request, Schema::ServiceNode)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let read = ServiceInstances {
        lookup,
        tags: selection::tags(&request),
        node_meta: selection::node_meta(&request),
        near: selection::near(&agent, &request),
        ..ServiceInstances::named(name)
    };
    let (meta, mut rows) = agent.read_cached(read, &options).await?;
    if let Some(filter) = filter {
        rows.retain(|row| filter.matches(&ServiceRow { node: &row.node, service: &row.service }));
    }
    translate::instances(&agent, &options.datacenter, &mut rows);
    let views: Vec<_> = rows.iter().map(FlatView).collect();
    Ok(Reply::json(&request, &views)?.with_meta(&meta, HEADERS))
}

async fn node(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let (meta, found) = read_node(&agent, &request).await?;
    let view = found.as_ref().map(|found| NodeAndMap { node: &found.node, services: ById(found) });
    Ok(Reply::json(&request, &view)?.with_meta(&meta, HEADERS))
}

async fn node_services(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let (meta, found) = read_node(&agent, &request).await?;
    let view = NodeAndList {
        node: found.as_ref().map(|found| &*found.node),
        services: found
            .as_ref()
            .map(|found| found.services.values().map(|service| ServiceView(service)).collect()),
    };
    Ok(Reply::json(&request, &view)?.with_meta(&meta, HEADERS))
}

async fn read_node(
    agent: &Arc<Agent>,
    request: &Request,
) -> Result<(crate::rpc::ReadMeta, Option<NodeWithServices>), Failure> {
    let node = selection::required(request, "Missing node name")?;
    let filter = selection::filter(request, Schema::NodeService)?;
    let options = options::read_options(request, agent.wait_limits())?;
    let (meta, mut found) = agent.read(&NodeServicesOf { node }, &options).await?;
    if let (Some(found), Some(filter)) = (&mut found, filter) {
        keep(found, &filter);
    }
    if let Some(found) = &mut found
        && translate::applies(agent, &options.datacenter)
    {
        translate::node(&mut found.node);
        found.services.values_mut().for_each(translate::service);
    }
    Ok((meta, found))
}

fn keep(found: &mut NodeWithServices, filter: &Filter) {
    found.services.retain(|_, service| filter.matches(service));
}

async fn gateway_services(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let gateway = selection::required(&request, "Missing gateway name")?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, links) = agent.read(&GatewayServices { gateway }, &options).await?;
    // No service at all has always been shown as null.
    let shown = (!links.is_empty()).then_some(links);
    Ok(Reply::json(&request, &shown)?.with_meta(&meta, HEADERS))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeAndMap<'a> {
    node: &'a Node,
    services: ById<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeAndList<'a> {
    node: Option<&'a Node>,
    services: Option<Vec<ServiceView<'a>>>,
}

struct ById<'a>(&'a NodeWithServices);

impl Serialize for ById<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.services.len()))?;
        for (id, service) in &self.0.services {
            let service: &NodeService = service;
            map.serialize_entry(id, &ServiceView(service))?;
        }
        map.end()
    }
}
