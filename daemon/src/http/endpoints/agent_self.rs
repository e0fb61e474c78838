//! `/v1/agent/self`: the agent about itself.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::StringMap;
use consul_api::types::coordinate::Coordinate;
use consul_api::types::operator::Member;
use consul_config::node_id::NodeId;
use http::Method;
use serde::Serialize;

use super::local;
use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::write::require;
use crate::stats::{self, Stats};
use crate::version;

pub const ROUTES: &[Route] = &[Route::exact("/v1/agent/self", &[Method::GET], handler!(about))];

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    config: Summary,
    debug_config: serde_json::Map<String, serde_json::Value>,
    coord: Option<Coordinate>,
    member: Member,
    stats: Stats,
    meta: StringMap,
}

/// What clients read: their own datacenter and node, and which features to expect.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    datacenter: String,
    primary_datacenter: String,
    node_name: String,
    #[serde(rename = "NodeID")]
    node_id: String,
    revision: &'static str,
    server: bool,
    version: &'static str,
}

async fn about(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let authorizer = agent.authorize(&local::token(&request))?;
    require(authorizer.allows(Resource::Agent(agent.node_name()), Access::Read))?;
    let config = agent.config.load();
    let identity = &agent.identity;
    let about = About {
        config: Summary {
            datacenter: identity.datacenter.clone(),
            primary_datacenter: config.node.primary_datacenter.clone(),
            node_name: identity.node_name.clone(),
            node_id: identity.node_id.clone(),
            revision: "",
            server: agent.server.is_some(),
            version: version::HUMAN,
        },
        debug_config: debug_config(&agent)?,
        coord: if config.gossip.disable_coordinates { None } else { Some(agent.coordinate().await) },
        member: agent.own_member(),
        stats: stats::of(&agent).await,
        meta: agent.node_meta(),
    };
    Reply::json(&request, &about)
}

/// The configuration in force, secrets hidden.
fn debug_config(agent: &Agent) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let node_id = NodeId::parse(&agent.identity.node_id)
        .map_err(|error| Failure::internal(format!("this agent's node id is no node id: {error}")))?;
    let identity = consul_config::Identity {
        node_id: &node_id,
        version: version::API_LEVEL,
        version_prerelease: "",
        revision: "",
    };
    Ok(agent.config.load().sanitized(&identity))
}
