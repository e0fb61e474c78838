//! `/v1/status/*`.

use std::sync::Arc;

use http::Method;

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::operation::status::{LeaderAddress, PeerAddresses};

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/status/leader", GET, handler!(leader)),
    Route::exact("/v1/status/peers", GET, handler!(peers)),
];

async fn leader(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let (_, address) = agent.operate(&LeaderAddress, &options).await?;
    Reply::json(&request, &address)
}

async fn peers(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::read_options(&request, agent.wait_limits())?;
    let (_, addresses) = agent.operate(&PeerAddresses, &options).await?;
    Reply::json(&request, &addresses)
}
