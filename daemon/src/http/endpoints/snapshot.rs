//! `/v1/snapshot`: the whole state as an archive, out and in.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

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
    let (meta, archive) = snapshot::save(&agent, &options)?;
    Ok(Reply::stream(Some(GZIP), Box::pin(archive)).with_meta(&meta, MetaHeaders::Index))
}

async fn restore(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    snapshot::admit_restore(&agent, &options.datacenter, &options.token)?;
    let spool = receive(&mut request, &snapshot::spool_dir(&agent)).await?;
    snapshot::restore(&agent, &options.datacenter, spool).await?;
    Ok(Reply::empty())
}

/// Takes the body to disk: it may be larger than memory, and nothing may happen before all of it is known to be sound.
async fn receive(request: &mut Request, dir: &Path) -> Result<File, Failure> {
    let unwritable = |error: io::Error| Failure::internal(format!("failed to buffer the snapshot: {error}"));
    let file = tempfile::tempfile_in(dir).map_err(unwritable)?;
    let mut out = tokio::fs::File::from_std(file);
    while let Some(frame) = request.body.frame().await {
        let frame = frame.map_err(|_| Failure::internal("failed to read snapshot: unexpected EOF"))?;
        if let Some(data) = frame.data_ref() {
            out.write_all(data).await.map_err(unwritable)?;
        }
    }
    out.seek(SeekFrom::Start(0)).await.map_err(unwritable)?;
    Ok(out.into_std().await)
}
