//! `/v1/operator/raft/*` and `/v1/operator/usage`.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::duration::{GoDuration, Nanoseconds};
use consul_api::types::operator::{RaftConfiguration, RaftServer};
use consul_raft::{ServerId, ServerMetrics};
use http::Method;
use serde::Serialize;

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::operator::{NodeNames, Usage, UsageGet};
use crate::rpc::write::require;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/operator/raft/configuration", GET, handler!(configuration)),
    Route::exact("/v1/operator/raft/peer", &[Method::DELETE], handler!(remove_peer)),
    Route::exact("/v1/operator/raft/transfer-leader", &[Method::POST], handler!(transfer_leader)),
    Route::exact("/v1/operator/usage", GET, handler!(usage)),
];

/// What a server is called that the catalog does not know.
const UNKNOWN: &str = "(unknown)";
/// The version of raft's messages that clients expect of servers which have ids.
const PROTOCOL: &str = "3";

async fn configuration(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?.at_once();
    let metrics = agent.route(&options.datacenter)?.raft.metrics();
    let ids = metrics.servers.iter().map(|server| server.peer.id.to_string()).collect();
    let (_, names) = agent.read(&NodeNames { ids }, &options).await?;
    let servers = metrics.servers.iter().map(|server| {
        let id = server.peer.id.to_string();
        RaftServer {
            node: names.get(&id).cloned().unwrap_or_else(|| UNKNOWN.to_owned()),
            id,
            address: server.peer.address.clone(),
            leader: server.leader,
            protocol_version: PROTOCOL.to_owned(),
            voter: server.voter,
            last_index: if server.leader {
                metrics.last_log_index
            } else {
                server.matched_index.unwrap_or(0)
            },
        }
    });
    let body = RaftConfiguration { servers: servers.collect(), index: 0 };
    Reply::json(&request, &body)
}

async fn remove_peer(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    let (id, address) = (request.params.non_empty("id"), request.params.non_empty("address"));
    let refuse = |text: &str| Err(Failure::bad_request(format!("Bad request: {text}")));
    let (what, wanted) = match (id, address) {
        (None, None) => {
            return refuse(
                "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove",
            );
        }
        (Some(_), Some(_)) => return refuse("Must specify only one of ?id or ?address"),
        (Some(id), None) => ("id", id),
        (None, Some(address)) => ("address", address),
    };
    require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Write))?;
    let server = agent.route(&options.datacenter)?;
    let is_meant = |known: &&ServerMetrics| match what {
        "id" => known.peer.id.to_string() == wanted,
        _ => known.peer.address == wanted,
    };
    let metrics = server.raft.metrics();
    let Some(known) = metrics.servers.iter().find(is_meant) else {
        return Err(Failure::internal(format!("{what} {wanted:?} was not found in the Raft configuration")));
    };
    server.raft.remove(known.peer.id).await.map_err(|error| Failure::internal(error.to_string()))?;
    Ok(Reply::empty())
}

async fn transfer_leader(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Write))?;
    let target = match request.params.non_empty("id") {
        None => None,
        Some(text) => {
            let id = text.parse::<ServerId>();
            Some(id.map_err(|_| {
                Failure::internal(format!("id {text:?} was not found in the Raft configuration"))
            })?)
        }
    };
    let server = agent.route(&options.datacenter)?;
    server.raft.transfer(target).await.map_err(|error| Failure::internal(error.to_string()))?;
    Reply::json(&request, &serde_json::json!({ "Success": true }))
}

/// Counts by datacenter, with the freshness in the body as this endpoint's clients expect it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsageBody<'a> {
    usage: BTreeMap<&'a str, DatacenterUsage>,
    index: u64,
    last_contact: Nanoseconds,
    known_leader: bool,
    consistency_level: &'static str,
    not_modified: bool,
    backend: u8,
    #[serde(rename = "ResultsFilteredByACLs")]
    results_filtered_by_acls: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DatacenterUsage {
    nodes: usize,
    services: usize,
    service_instances: usize,
    connect_service_instances: BTreeMap<&'static str, usize>,
    billable_service_instances: usize,
}

/// The kinds that are counted, present or not.
const CONNECT_KINDS: [&str; 4] = ["connect-proxy", "ingress-gateway", "mesh-gateway", "terminating-gateway"];
/// The services that servers are, which nobody is billed for.
const SERVERS: &str = "consul";

impl DatacenterUsage {
    fn of(usage: &Usage, servers: usize) -> Self {
        let kind = |name: &'static str| (name, usage.kinds.get(name).copied().unwrap_or(0));
        let mut connect: BTreeMap<&'static str, usize> = CONNECT_KINDS.into_iter().map(kind).collect();
        connect.insert("connect-native", usage.connect_native);
        let special: usize = usage.kinds.values().sum();
        Self {
            nodes: usage.nodes,
            services: usage.services,
            service_instances: usage.instances,
            connect_service_instances: connect,
            billable_service_instances: usage.instances.saturating_sub(special + servers),
        }
    }
}

async fn usage(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, own) = agent.read(&UsageGet, &options).await?;
    let servers = crate::rpc::catalog::ServiceInstances::named(SERVERS);
    let (_, servers) = agent.read(&servers, &options.clone().at_once()).await?;
    let name = if options.datacenter.is_empty() { &agent.identity.datacenter } else { &options.datacenter };
    let mut datacenters = BTreeMap::from([(name.as_str(), DatacenterUsage::of(&own, servers.len()))]);
    let others = if request.params.has("global") { agent.datacenters() } else { Vec::new() };
    for other in others.iter().filter(|other| *other != name) {
        let there = rpc_options(&options, other);
        let (_, usage) = agent.read(&UsageGet, &there).await?;
        let (_, servers) = agent.read(&crate::rpc::catalog::ServiceInstances::named(SERVERS), &there).await?;
        datacenters.insert(other, DatacenterUsage::of(&usage, servers.len()));
    }
    let body = UsageBody {
        usage: datacenters,
        index: meta.index,
        last_contact: Nanoseconds(GoDuration::from(meta.last_contact).0),
        known_leader: meta.known_leader,
        consistency_level: meta.consistency.as_str(),
        not_modified: false,
        backend: 0,
        results_filtered_by_acls: meta.filtered_by_acls,
    };
    Ok(Reply::json(&request, &body)?.with_meta(&meta, MetaHeaders::Index))
}

fn rpc_options(options: &crate::rpc::ReadOptions, datacenter: &str) -> crate::rpc::ReadOptions {
    crate::rpc::ReadOptions { datacenter: datacenter.to_owned(), ..options.clone().at_once() }
}
