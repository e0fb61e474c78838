//! `/v1/snapshot`: the whole state as an archive, out and in.

use std::io;
use std::sync::Arc;

use futures::TryStreamExt as _;
use http::Method;
use http_body_util::BodyDataStream;
use tokio_util::io::StreamReader;

use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::snapshot;

pub const ROUTES: &[Route] = &[Route::exact("/v1/snapshot", &[Method::GET, Method::PUT], handler!(handle))];

const GZIP: &str = "application/x-gzip";

async fn handle(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::PUT { restore(agent, request).await } else { save(agent, request).await }
}

async fn save(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::consistency_options(&request)?;
    let (meta, archive) = snapshot::save(&agent, &options).await?;
    Ok(Reply::stream(Some(GZIP), archive).with_meta(&meta, MetaHeaders::Index))
}

async fn restore(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    let body = BodyDataStream::new(request.body)
        .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF"));
    snapshot::restore(&agent, &options, &mut StreamReader::new(body)).await?;
    Ok(Reply::empty())
}
