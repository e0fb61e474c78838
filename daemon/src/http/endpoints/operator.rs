//! `/v1/operator/raft/*` and `/v1/operator/usage`.

use std::collections::BTreeMap;
use std::sync::Arc;

use consul_api::types::duration::{GoDuration, Nanoseconds};
use consul_rpc::messages::operator::ServiceUsage;
use http::Method;
use serde::Serialize;

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::ReadOptions;
use crate::rpc::operation::datacenters::ListDatacenters;
use crate::rpc::operation::raft::{PeerKey, RaftServers, RemovePeer, TransferLeadership};
use crate::rpc::operation::usage::UsageOf;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/operator/raft/configuration", GET, handler!(configuration)),
    Route::exact("/v1/operator/raft/peer", &[Method::DELETE], handler!(remove_peer)),
    Route::exact("/v1/operator/raft/transfer-leader", &[Method::POST], handler!(transfer_leader)),
    Route::exact("/v1/operator/usage", GET, handler!(usage)),
];

async fn configuration(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?.at_once();
    let (_, servers) = agent.operate(&RaftServers, &options).await?;
    Reply::json(&request, &servers)
}

async fn remove_peer(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    let (id, address) = (request.params.non_empty("id"), request.params.non_empty("address"));
    let refuse = |text: &str| Err(Failure::bad_request(format!("Bad request: {text}")));
    let peer = match (id, address) {
        (None, None) => {
            return refuse(
                "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove",
            );
        }
        (Some(_), Some(_)) => return refuse("Must specify only one of ?id or ?address"),
        (Some(id), None) => PeerKey::Id(id.to_owned()),
        (None, Some(address)) => PeerKey::Address(address.to_owned()),
    };
    agent.operate(&RemovePeer(peer), &(&options).into()).await?;
    Ok(Reply::empty())
}

async fn transfer_leader(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    let to = request.params.non_empty("id").map(str::to_owned);
    agent.operate(&TransferLeadership { to }, &(&options).into()).await?;
    Reply::json(&request, &serde_json::json!({ "Success": true }))
}

/// Counts by datacenter, with the freshness in the body as this endpoint's clients expect it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsageBody {
    usage: BTreeMap<String, UsageView>,
    index: u64,
    last_contact: Nanoseconds,
    known_leader: bool,
    consistency_level: &'static str,
    not_modified: bool,
    backend: u8,
    #[serde(rename = "ResultsFilteredByACLs")]
    results_filtered_by_acls: bool,
}

async fn usage(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, mut usage) = agent.operate(&UsageOf, &options).await?;
    if request.params.has("global") {
        let (_, datacenters) = agent.operate(&ListDatacenters, &options).await?;
        for datacenter in datacenters {
            if !usage.contains_key(&datacenter) {
                let there = ReadOptions { datacenter, ..options.clone().at_once() };
                usage.extend(agent.operate(&UsageOf, &there).await?.1);
            }
        }
    }
    let body = UsageBody {
        usage: usage.into_iter().map(|(name, usage)| (name, usage.into())).collect(),
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

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UsageView {
    nodes: u64,
    services: u64,
    service_instances: u64,
    connect_service_instances: BTreeMap<String, u64>,
    billable_service_instances: u64,
}

impl From<ServiceUsage> for UsageView {
    fn from(usage: ServiceUsage) -> Self {
        Self {
            nodes: usage.nodes,
            services: usage.services,
            service_instances: usage.service_instances,
            connect_service_instances: usage.connect_service_instances,
            billable_service_instances: usage.billable_service_instances,
        }
    }
}
