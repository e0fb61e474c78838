//! What a prepared query must satisfy before it is proposed.

use consul_api::types::StringMap;
use consul_api::types::duration::{GoDuration, ParseDurationError};
use consul_api::types::query::PreparedQuery;
use thiserror::Error;

use super::template::{Template, TemplateError};
use crate::catalog::validate::{ReservedKeys, meta_pair_problem};

/// What a token is replaced by for those who may not see it.
pub const REDACTED_TOKEN: &str = "<hidden>";

/// Why a definition is refused. Clients match the texts.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QueryError {
    #[error("Invalid prepared query: Must be bound to a session")]
    Unbound,
    #[error(
        "Invalid prepared query: Bad Token '<hidden>', it looks like a query definition with a redacted token was \
         submitted"
    )]
    RedactedToken,
    #[error("Invalid prepared query: Must provide a Service name to query")]
    MissingService,
    #[error("Invalid prepared query: Bad NearestN '{0}', must be >= 0")]
    NearestN(i64),
    #[error("Invalid prepared query: Couldn't load metadata pair ('{key}', '{value}'): {reason}")]
    Meta { key: String, value: String, reason: &'static str },
    #[error("Invalid prepared query: Bad DNS TTL '{text}': {reason}")]
    Ttl { text: String, reason: ParseDurationError },
    #[error("Invalid prepared query: DNS TTL '{0}', must be >=0")]
    NegativeTtl(i64),
    #[error("failed compiling template: {0}")]
    Template(#[from] TemplateError),
}

/// Checks a definition by itself; whether its name is free and its session alive only the state knows.
pub fn definition(query: &PreparedQuery) -> Result<(), QueryError> {
    let is_template = !query.template.r#type.is_empty();
    if query.name.is_empty() && query.session.is_empty() && !is_template {
        return Err(QueryError::Unbound);
    }
    if query.token == REDACTED_TOKEN {
        return Err(QueryError::RedactedToken);
    }
    if query.service.service.is_empty() {
        return Err(QueryError::MissingService);
    }
    if query.service.failover.nearest_n < 0 {
        return Err(QueryError::NearestN(query.service.failover.nearest_n));
    }
    meta(query.service.node_meta.as_ref())?;
    meta(query.service.service_meta.as_ref())?;
    ttl(&query.dns.ttl)?;
    Template::of(query)?;
    Ok(())
}

fn ttl(text: &str) -> Result<(), QueryError> {
    if text.is_empty() {
        return Ok(());
    }
    let parsed: Result<GoDuration, _> = text.parse();
    match parsed {
        Err(reason) => Err(QueryError::Ttl { text: text.to_owned(), reason }),
        Ok(span) if span.0 < 0 => Err(QueryError::NegativeTtl(span.0)),
        Ok(_) => Ok(()),
    }
}

/// The pairs are filters here, so keys of the reserved prefix are fine.
fn meta(meta: Option<&StringMap>) -> Result<(), QueryError> {
    for (key, value) in meta.into_iter().flatten() {
        if let Some(reason) = meta_pair_problem(key, value, ReservedKeys::Allowed) {
            return Err(QueryError::Meta { key: key.clone(), value: value.clone(), reason });
        }
    }
    Ok(())
}
