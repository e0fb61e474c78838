//! Why a command was refused. Clients match these texts, so they are part of the interface.

use thiserror::Error;

use crate::id::UuidError;

/// A command that could not be applied. The state is as if it had not been sent.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ApplyError {
    #[error("Must provide key")]
    MissingKey,
    #[error("Invalid KVS operation '{0}'")]
    InvalidKvOperation(&'static str),
    #[error("missing session")]
    MissingSession,
    #[error("failed session lookup: {0}")]
    SessionLookup(UuidError),
    #[error("invalid session {0:?}")]
    InvalidSession(String),
    #[error("Missing node registration")]
    MissingNode,
    #[error("Missing check '{0}' registration")]
    MissingCheck(String),
    #[error("Check '{0}' is in critical state")]
    CriticalCheck(String),
    #[error("Must provide Node")]
    SessionNode,
    #[error("Invalid Behavior setting '{0}'")]
    SessionBehavior(String),
    #[error("Session TTL '{text}' invalid: {reason}")]
    SessionTtl { text: String, reason: String },
    #[error("Invalid Session TTL '{nanoseconds}', must be between [{min}=24h0m0s]")]
    SessionTtlRange { nanoseconds: i64, min: String },
    #[error("Invalid session lock delay: must not be negative")]
    SessionLockDelay,
}
