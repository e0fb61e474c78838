//! `Coordinate.*`.

use consul_api::types::coordinate::NodeCoordinate;
use consul_rpc::messages::catalog::NodeSpecificRequest;
use consul_rpc::messages::coordinate::{CoordinateUpdateRequest, Coordinates};
use consul_rpc::messages::{Nothing, value};
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, failed};
use crate::rpc::coordinate::CoordinateList;
use crate::rpc::operation::coordinate::{DatacenterMap, ReportCoordinate};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Update" => update(call).await,
        "ListNodes" => list(call, CoordinateList::All).await,
        "Node" => list(call, CoordinateList::Node(call.arguments::<NodeSpecificRequest>()?.node)).await,
        "ListDatacenters" => list_datacenters(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn update(call: Call<'_>) -> Answer {
    let CoordinateUpdateRequest { node, segment, coord, .. } = call.arguments()?;
    call.change(&ReportCoordinate(NodeCoordinate { node, segment, coord })).await?;
    Ok(value(&Nothing {}))
}

async fn list(call: Call<'_>, request: CoordinateList) -> Answer {
    let (meta, coordinates) = call.read(&request).await?;
    answer(&Coordinates { coordinates }, &meta)
}

async fn list_datacenters(call: Call<'_>) -> Answer {
    let options = call.options_here()?;
    let (_, map) = call.agent.operate(&DatacenterMap, &options).await.map_err(failed)?;
    Ok(value(&map))
}
