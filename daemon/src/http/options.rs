//! The query parameters that every read shares.

use std::time::Duration;

use consul_api::types::duration::GoDuration;

use super::failure::Failure;
use super::request::Request;
use crate::cache::CacheControl;
use crate::rpc::{Consistency, ReadOptions, WriteOptions};

/// Bounds on how long a blocking query waits.
#[derive(Clone, Copy, Debug)]
pub struct WaitLimits {
    pub default: Duration,
    pub max: Duration,
}

/// Reads datacenter, token, consistency and blocking parameters.
pub fn read_options(request: &Request, limits: WaitLimits) -> Result<ReadOptions, Failure> {
    let mut options = consistency_options(request)?;
    options.min_index = parse_index(request)?;
    options.max_wait = parse_wait(request, limits)?;
    Ok(options)
}

/// The same without `index` and `wait`, for reads that never block.
pub fn consistency_options(request: &Request) -> Result<ReadOptions, Failure> {
    let params = &request.params;
    let (stale, consistent) = (params.has("stale"), params.has("consistent"));
    let cached = params.has("cached");
    if stale && consistent {
        return Err(Failure::bad_request("Cannot specify ?stale with ?consistent, conflicting semantics."));
    }
    if cached && consistent {
        return Err(Failure::bad_request("Cannot specify ?cached with ?consistent, conflicting semantics."));
    }
    let max_stale = match params.non_empty("max_stale") {
        None => None,
        Some(text) => Some(
            text.parse::<GoDuration>()
                .map_err(|_| Failure::bad_request(format!("Invalid max_stale value {text:?}")))?
                .to_std(),
        ),
    }
    .filter(|limit| !limit.is_zero());
    let explicit = stale || consistent || max_stale.is_some() || params.has("leader");
    let max_stale = if explicit { max_stale } else { request.max_stale_default };
    let consistency = match (stale || max_stale.is_some(), consistent) {
        (_, true) => Consistency::Consistent,
        (true, _) => Consistency::Stale { max: max_stale },
        _ => Consistency::Default,
    };
    Ok(ReadOptions {
        datacenter: params.first("dc").unwrap_or_default().to_owned(),
        token: request.token().unwrap_or_default().into(),
        consistency,
        cached,
        cache_control: cache_control(request)?,
        ..ReadOptions::default()
    })
}

/// What the `Cache-Control` header asks for.
pub fn cache_control(request: &Request) -> Result<CacheControl, Failure> {
    match request.headers.get(http::header::CACHE_CONTROL).and_then(|value| value.to_str().ok()) {
        None => Ok(CacheControl::default()),
        Some(header) => CacheControl::parse(header).map_err(|error| Failure::bad_request(error.to_string())),
    }
}

/// Datacenter and token of a write.
pub fn write_options(request: &Request) -> WriteOptions {
    WriteOptions {
        datacenter: request.params.first("dc").unwrap_or_default().to_owned(),
        token: request.token().unwrap_or_default().into(),
        forwarded: false,
    }
}

fn parse_index(request: &Request) -> Result<u64, Failure> {
    match request.params.non_empty("index") {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| Failure::bad_request("Invalid index")),
    }
}

/// Zero, negative and absent mean the default; more than the maximum is cut to it.
pub fn parse_wait(request: &Request, limits: WaitLimits) -> Result<Duration, Failure> {
    let asked = match request.params.non_empty("wait") {
        None => Duration::ZERO,
        Some(text) => {
            text.parse::<GoDuration>().map_err(|_| Failure::bad_request("Invalid wait time"))?.to_std()
        }
    };
    Ok(if asked.is_zero() { limits.default.min(limits.max) } else { asked.min(limits.max) })
}
