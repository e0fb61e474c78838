//! `/v1/coordinate/*`.

use std::sync::Arc;

use consul_api::types::coordinate::NodeCoordinate;
use http::{Method, StatusCode};

use crate::agent::Agent;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::ReadOptions;
use crate::rpc::coordinate::CoordinateList;
use crate::rpc::operation::coordinate::{DatacenterMap, ReportCoordinate};

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/coordinate/datacenters", GET, handler!(datacenters)),
    Route::exact("/v1/coordinate/nodes", GET, handler!(nodes)).with_failure_meta(),
    Route::prefix("/v1/coordinate/node/", GET, handler!(node)),
    Route::exact("/v1/coordinate/update", &[Method::PUT], handler!(update)),
];

fn refuse_if_disabled(agent: &Agent) -> Result<(), Failure> {
    if agent.config.load().gossip.disable_coordinates {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "Coordinate support disabled"));
    }
    Ok(())
}

/// Servers of each datacenter by their place in the WAN.
async fn datacenters(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    refuse_if_disabled(&agent)?;
    let (_, list) = agent.operate(&DatacenterMap, &ReadOptions::default()).await?;
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
    if update.coord.is_none() {
        return Err(Failure::bad_request("Must provide a coordinate"));
    }
    let options = options::write_options(&request);
    agent.operate(&ReportCoordinate(update), &(&options).into()).await?;
    Ok(Reply::empty())
}
