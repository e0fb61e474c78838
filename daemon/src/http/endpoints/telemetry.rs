//! `/v1/agent/metrics`, `/v1/agent/host` and `/v1/agent/version`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use consul_acl::{Access, Resource};
use consul_telemetry::metrics::{self, INTERVAL, PROMETHEUS_CONTENT_TYPE};
use futures::stream;
use http::{Method, StatusCode};
use serde::Serialize;

use crate::agent::Agent;
use crate::handler;
use crate::host::cpu::{self, Cpu};
use crate::host::disk::Disk;
use crate::host::memory::Memory;
use crate::host::system::System;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{JSON, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::write::require;
use crate::version;

const GET: &[Method] = &[Method::GET];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/agent/metrics", GET, handler!(metrics)),
    Route::exact("/v1/agent/metrics/stream", GET, handler!(metrics_stream)),
    Route::exact("/v1/agent/host", GET, handler!(host)),
    Route::exact("/v1/agent/version", GET, handler!(program)),
];

fn require_agent_read(agent: &Agent, request: &Request) -> Result<(), Failure> {
    let options = options::write_options(request);
    let allowed = agent.authorize(&options.token)?.allows(Resource::Agent(agent.node_name()), Access::Read);
    Ok(require(allowed)?)
}

async fn metrics(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_read(&agent, &request)?;
    let now = SystemTime::now();
    if !wants_prometheus(&request) {
        return Reply::json(&request, &metrics::global().summary(now));
    }
    match metrics::global().prometheus(now) {
        Ok(text) => Ok(Reply::bytes(PROMETHEUS_CONTENT_TYPE, text.into())),
        Err(disabled) => Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, disabled.to_string())),
    }
}

fn wants_prometheus(request: &Request) -> bool {
    let accepts = request.headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
    request.params.first("format") == Some("prometheus")
        || accepts.is_some_and(|accepts| accepts.contains("application/openmetrics-text"))
}

/// One line of JSON for each interval, when it has ended.
async fn metrics_stream(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_read(&agent, &request)?;
    let lines = stream::unfold(agent.stop.clone(), |stop| async move {
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(until_next_interval(SystemTime::now())) => {}
        }
        let line = consul_api::json::to_vec(&metrics::global().summary(SystemTime::now()));
        let line = line.map_err(std::io::Error::other).map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        });
        Some((line, stop))
    });
    Ok(Reply::stream(Some(JSON), Box::pin(lines)))
}

/// Intervals begin at multiples of their length. A little later, all of one is counted.
fn until_next_interval(now: SystemTime) -> Duration {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let into = since_epoch.as_millis() % INTERVAL.as_millis();
    INTERVAL.saturating_sub(Duration::from_millis(u64::try_from(into).unwrap_or(0)))
        + Duration::from_millis(50)
}

/// What `consul debug` records of the host.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HostReport {
    memory: Memory,
    #[serde(rename = "CPU")]
    cpu: Vec<Cpu>,
    host: System,
    disk: Option<Disk>,
    /// Nanoseconds since 1970.
    collection_time: u64,
    errors: Option<Vec<String>>,
}

impl HostReport {
    fn collect(data_dir: PathBuf) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (disk, errors) = match Disk::read(&data_dir) {
            Ok(disk) => (Some(disk), None),
            Err(error) => (None, Some(vec![error.to_string()])),
        };
        Self {
            memory: Memory::read(),
            cpu: cpu::read(),
            host: System::read(),
            disk,
            collection_time: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
            errors,
        }
    }
}

async fn host(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let options = options::write_options(&request);
    require(agent.authorize(&options.token)?.allows(Resource::Operator, Access::Read))?;
    let data_dir = agent.identity.data_dir.clone().unwrap_or_else(|| PathBuf::from("/"));
    let report = tokio::task::spawn_blocking(move || HostReport::collect(data_dir)).await;
    let report = report.map_err(|error| Failure::internal(format!("could not look at the host: {error}")))?;
    Reply::json(&request, &report)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Program {
    #[serde(rename = "SHA")]
    sha: &'static str,
    build_date: &'static str,
    human_version: &'static str,
    #[serde(rename = "FIPS")]
    fips: &'static str,
}

async fn program(_: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let program = Program { sha: "", build_date: BUILD_DATE, human_version: version::HUMAN, fips: "" };
    Reply::json(&request, &program)
}

/// Builds are reproducible and so bear no date; the zero time says that.
const BUILD_DATE: &str = "1970-01-01T00:00:01Z";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_interval_is_never_further_than_its_length() {
        let at = |ms| until_next_interval(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        assert_eq!(at(0), INTERVAL + Duration::from_millis(50));
        assert_eq!(at(9_999), Duration::from_millis(51));
        assert_eq!(at(12_000), Duration::from_millis(8_050));
    }
}
