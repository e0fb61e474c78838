//! `/v1/coordinate/*`.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::coordinate::{Coordinate, DatacenterCoordinates, NodeCoordinate};
use http::{Method, StatusCode};

use crate::agent::Agent;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::coordinate::CoordinateList;
use crate::rpc::write::require;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/coordinate/datacenters", GET, handler!(datacenters)),
    Route::exact("/v1/coordinate/nodes", GET, handler!(nodes)).with_failure_meta(),
    Route::prefix("/v1/coordinate/node/", GET, handler!(node)),
    Route::exact("/v1/coordinate/update", &[Method::PUT], handler!(update)),
];

/// The pool that servers of different datacenters share.
const WAN: &str = "wan";

fn refuse_if_disabled(agent: &Agent) -> Result<(), Failure> {
    if agent.config.load().gossip.disable_coordinates {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "Coordinate support disabled"));
    }
    Ok(())
}

/// Servers of each datacenter by their place in the WAN. A datacenter alone has nobody to measure against, so its
/// servers stand where every node begins.
async fn datacenters(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    refuse_if_disabled(&agent)?;
    agent.route("")?;
    let own = NodeCoordinate {
        node: agent.node_name().to_owned(),
        segment: String::new(),
        coord: Some(Coordinate::default()),
    };
    let list = [DatacenterCoordinates {
        datacenter: agent.identity.datacenter.clone(),
        area_id: WAN.to_owned(),
        coordinates: vec![own],
    }];
    Reply::json(&request, &list)
}

async fn nodes(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    refuse_if_disabled(&agent)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, mut coordinates) = agent.read(&CoordinateList::All, &options).await?;
    if let Some(segment) = request.params.first("segment") {
        coordinates.retain(|entry| entry.segment == segment);
    }
    Ok(Reply::json(&request, &coordinates)?.with_meta(&meta, MetaHeaders::Index))
}

async fn node(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    refuse_if_disabled(&agent)?;
    let options = options::read_options(&request, agent.wait_limits())?;
    let (meta, mut coordinates) = agent.read(&CoordinateList::Node(request.rest_text()), &options).await?;
    if let Some(segment) = request.params.first("segment") {
        coordinates.retain(|entry| entry.segment == segment);
    }
    if coordinates.is_empty() {
        return Ok(Reply::status(StatusCode::NOT_FOUND));
    }
    Ok(Reply::json(&request, &coordinates)?.with_meta(&meta, MetaHeaders::Index))
}

async fn update(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    refuse_if_disabled(&agent)?;
    let body = request.read_json_body().await?;
    let update: NodeCoordinate = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let Some(coordinate) = &update.coord else {
        return Err(Failure::bad_request("Must provide a coordinate"));
    };
    let options = options::write_options(&request);
    let authorizer = agent.authorize(&options.token)?;
    require(authorizer.allows(Resource::Node(&update.node), Access::Write))?;
    let server = agent.route(&options.datacenter)?;
    if !coordinate.is_valid() {
        return Err(Failure::internal("incompatible coordinate"));
    }
    // An unknown node's report would be dropped when it is applied; keeping it until then would cost memory.
    if server.store.version().node(&update.node).is_some() {
        server.coordinates.push(update);
    }
    Ok(Reply::empty())
}
