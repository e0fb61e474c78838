//! `/debug/pprof/`: profiles of the process, for those who may look into it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use consul_acl::{Access, Resource};
use http::header::HeaderValue;
use http::{Method, StatusCode};

use super::acl;
use super::number::parse_int;
use crate::agent::Agent;
use crate::handler;
use crate::host::memory::Resident;
use crate::host::threads::{self, Thread};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{Reply, TEXT};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::profile::pprof::{Profile, ValueType};
use crate::profile::{EMPTY_TRACE, text, usage_between};

pub const ROUTES: &[Route] =
    &[Route::prefix("/debug/pprof/", &[Method::GET, Method::POST], handler!(handle)).with_own_methods()];

const BINARY: &str = "application/octet-stream";
/// How long to look by default, and at most.
const PROFILE_SECONDS: u64 = 30;
const TRACE_SECONDS: u64 = 1;
const SECONDS_MAX: u64 = 600;

const COUNT: &str = "count";
const BYTES: &str = "bytes";
const HEAP_TYPES: &[ValueType] = &[
    ValueType { what: "alloc_objects", unit: COUNT },
    ValueType { what: "alloc_space", unit: BYTES },
    ValueType { what: "inuse_objects", unit: COUNT },
    ValueType { what: "inuse_space", unit: BYTES },
];
const CPU_TYPES: &[ValueType] =
    &[ValueType { what: "samples", unit: COUNT }, ValueType { what: "cpu", unit: "nanoseconds" }];
const CONTENTION_TYPES: &[ValueType] =
    &[ValueType { what: "contentions", unit: COUNT }, ValueType { what: "delay", unit: "nanoseconds" }];
/// The clock by which the system accounts for processor time ticks a hundred times a second.
const TICK: Duration = Duration::from_millis(10);

async fn handle(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if let Some(refusal) = refuse(&agent, &request)? {
        return Ok(refusal);
    }
    let name = request.rest_text();
    let reply = match name.as_str() {
        "" => Reply::bytes("text/html; charset=utf-8", text::index(look().await.len()).into()),
        "cmdline" => Reply::bytes(TEXT, command_line().into()),
        "symbol" => Reply::text(StatusCode::OK, "num_symbols: 1\n"),
        "profile" => attached("profile", processor_time(seconds(&request, PROFILE_SECONDS)?).await?),
        "trace" => {
            tokio::time::sleep(seconds(&request, TRACE_SECONDS)?).await;
            attached("trace", EMPTY_TRACE.to_vec())
        }
        name => named(name, &request).await?,
    };
    Ok(reply.with_header("x-content-type-options", HeaderValue::from_static("nosniff")))
}

/// Profiles are for agents that were started for debugging; with access control, operators may always look.
fn refuse(agent: &Agent, request: &Request) -> Result<Option<Reply>, Failure> {
    let config = agent.config.load();
    if config.process.enable_debug {
        return Ok(None);
    }
    if !config.acl.enabled {
        return Err(Failure::new(StatusCode::UNAUTHORIZED, acl::DISABLED));
    }
    let authorizer = agent.authorize(&options::write_options(request).token)?;
    let allowed = authorizer.allows(Resource::Operator, Access::Read);
    Ok((!allowed).then(|| Reply::status(StatusCode::FORBIDDEN)))
}

/// Arguments separated by zero bytes.
fn command_line() -> Vec<u8> {
    let arguments: Vec<Vec<u8>> =
        std::env::args_os().map(std::os::unix::ffi::OsStringExt::into_vec).collect();
    arguments.join(&0)
}

fn seconds(request: &Request, default: u64) -> Result<Duration, Failure> {
    let asked = match request.params.non_empty("seconds") {
        None => default,
        Some(text) => {
            let seconds = parse_int(text).ok().and_then(|seconds| u64::try_from(seconds).ok());
            seconds.ok_or_else(|| Failure::bad_request("invalid value for seconds"))?
        }
    };
    Ok(Duration::from_secs(if asked == 0 { default } else { asked.min(SECONDS_MAX) }))
}

fn attached(name: &str, file: Vec<u8>) -> Reply {
    Reply::bytes(BINARY, file.into())
        .with_header("content-disposition", format!("attachment; filename=\"{name}\""))
}

async fn named(name: &str, request: &Request) -> Result<Reply, Failure> {
    if !text::NAMED.iter().any(|(known, _)| *known == name) {
        let unknown = Reply::text(StatusCode::NOT_FOUND, "Unknown profile\n");
        return Ok(unknown.with_header("x-go-pprof", HeaderValue::from_static("1")));
    }
    let debug = request.params.first("debug").and_then(|text| parse_int(text).ok()).unwrap_or(0);
    let threads = look().await;
    if debug > 0 {
        let text = match name {
            "goroutine" | "threadcreate" if debug > 1 => text::thread_dump(&threads),
            "goroutine" | "threadcreate" => text::threads(&threads, name),
            "heap" | "allocs" => text::heap(Resident::read()),
            _ => text::contention().to_owned(),
        };
        return Ok(Reply::text(StatusCode::OK, text));
    }
    let profile = match name {
        "goroutine" | "threadcreate" => thread_profile(name, &threads),
        "heap" | "allocs" => heap_profile(Resident::read()),
        _ => Profile {
            types: CONTENTION_TYPES,
            samples: Vec::new(),
            period_type: ValueType { what: "contentions", unit: COUNT },
            period: 1,
            duration: Duration::ZERO,
        },
    };
    Ok(attached(name, encode(&profile)?))
}

fn encode(profile: &Profile<'_>) -> Result<Vec<u8>, Failure> {
    profile
        .encode(SystemTime::now())
        .map_err(|error| Failure::internal(format!("could not write the profile: {error}")))
}

async fn look() -> Vec<Thread> {
    tokio::task::spawn_blocking(threads::read).await.unwrap_or_default()
}

fn thread_profile(name: &str, threads: &[Thread]) -> Profile<'static> {
    const GOROUTINE: &[ValueType] = &[ValueType { what: "goroutine", unit: COUNT }];
    const THREADCREATE: &[ValueType] = &[ValueType { what: "threadcreate", unit: COUNT }];
    let types = if name == "goroutine" { GOROUTINE } else { THREADCREATE };
    let mut samples: Vec<(String, Vec<i64>)> = Vec::new();
    for thread in threads {
        match samples.iter_mut().find(|(known, _)| *known == thread.name) {
            Some((_, values)) => values.iter_mut().for_each(|count| *count += 1),
            None => samples.push((thread.name.clone(), vec![1])),
        }
    }
    Profile { types, samples, period_type: types[0], period: 1, duration: Duration::ZERO }
}

fn heap_profile(resident: Resident) -> Profile<'static> {
    let own = i64::try_from(resident.total.saturating_sub(resident.shared)).unwrap_or(i64::MAX);
    Profile {
        types: HEAP_TYPES,
        samples: vec![("process".to_owned(), vec![1, own, 1, own])],
        period_type: ValueType { what: "space", unit: BYTES },
        period: 1,
        duration: Duration::ZERO,
    }
}

/// What each thread uses while we wait.
async fn processor_time(duration: Duration) -> Result<Vec<u8>, Failure> {
    let before = look().await;
    tokio::time::sleep(duration).await;
    let usage = usage_between(&before, &look().await);
    let nanoseconds = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
    let values = |used: Duration| vec![nanoseconds(used) / nanoseconds(TICK), nanoseconds(used)];
    encode(&Profile {
        types: CPU_TYPES,
        samples: usage.into_iter().map(|(name, used)| (name, values(used))).collect(),
        period_type: CPU_TYPES[1],
        period: nanoseconds(TICK),
        duration,
    })
}
