//! What all families share: options, freshness, answers.

use std::time::Duration;

use consul_api::msgpack::{self, DecodeError};
use consul_rpc::messages::{QueryMeta, QueryOptions, QuerySource, WriteRequest};
use serde::de::DeserializeOwned;

use crate::http::options::WaitLimits;
use crate::rpc::{Consistency, ReadMeta, ReadOptions, RpcError, Token, WriteOptions};

/// As another server reads them. Filters are applied by whoever asked, so none travels.
pub fn query_options(options: &ReadOptions) -> QueryOptions {
    let max_stale = match options.consistency {
        Consistency::Stale { max } => max.unwrap_or_default(),
        Consistency::Default | Consistency::Consistent => Duration::ZERO,
    };
    QueryOptions {
        token: options.token.as_str().to_owned(),
        min_query_index: options.min_index,
        max_query_time: options.max_wait.into(),
        allow_stale: matches!(options.consistency, Consistency::Stale { .. }),
        require_consistent: options.consistency == Consistency::Consistent,
        max_stale_duration: max_stale.into(),
        forwarded: options.forwarded,
        ..QueryOptions::default()
    }
}

/// The options of a call that came in.
pub fn read_options(sent: &QueryOptions, datacenter: String, limits: WaitLimits) -> ReadOptions {
    let wait = sent.max_query_time.to_std();
    let consistency = match (sent.require_consistent, sent.allow_stale) {
        (true, _) => Consistency::Consistent,
        (false, true) => {
            let max = sent.max_stale_duration.to_std();
            Consistency::Stale { max: (!max.is_zero()).then_some(max) }
        }
        (false, false) => Consistency::Default,
    };
    ReadOptions {
        datacenter,
        token: Token::from(sent.token.as_str()),
        consistency,
        min_index: sent.min_query_index,
        max_wait: if wait.is_zero() { limits.default } else { wait }.min(limits.max),
        forwarded: sent.forwarded,
        ..ReadOptions::default()
    }
}

pub fn write_request(options: &WriteOptions) -> WriteRequest {
    WriteRequest { token: options.token.as_str().to_owned(), forwarded: options.forwarded }
}

/// The options of a write that came in.
pub fn write_options(sent: &WriteRequest, datacenter: String) -> WriteOptions {
    WriteOptions { datacenter, token: Token::from(sent.token.as_str()), forwarded: sent.forwarded }
}

pub fn query_meta(meta: &ReadMeta) -> QueryMeta {
    QueryMeta {
        index: meta.index,
        last_contact: meta.last_contact.into(),
        known_leader: meta.known_leader,
        consistency_level: String::new(),
        results_filtered_by_acls: meta.filtered_by_acls,
    }
}

/// The freshness of an answer that came in. An index is at least 1, so that nobody waits for 0.
pub fn read_meta(sent: &QueryMeta) -> ReadMeta {
    ReadMeta {
        index: sent.index.max(1),
        known_leader: sent.known_leader,
        last_contact: sent.last_contact.to_std(),
        filtered_by_acls: sent.results_filtered_by_acls,
        ..ReadMeta::default()
    }
}

/// An answer with its freshness.
pub fn answer<A: DeserializeOwned>(body: &[u8]) -> Result<(ReadMeta, A), RpcError> {
    let own: A = whole(body)?;
    let meta: QueryMeta = whole(body)?;
    Ok((read_meta(&meta), own))
}

/// An answer that is one value.
pub fn whole<A: DeserializeOwned>(body: &[u8]) -> Result<A, RpcError> {
    msgpack::from_slice(body).map_err(|error| unreadable(&error))
}

pub fn unreadable(error: &DecodeError) -> RpcError {
    RpcError::refused(format!("failed to read the answer of a server: {error}"))
}

/// A node from which distances count, as it travels.
pub fn source_of(near: &str, options: &ReadOptions) -> QuerySource {
    if near.is_empty() {
        return QuerySource::default();
    }
    QuerySource { datacenter: options.datacenter.clone(), node: near.to_owned(), ..QuerySource::default() }
}
