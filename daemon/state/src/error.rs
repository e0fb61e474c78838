//! Why a command was refused. Clients match these texts, so they are part of the interface.

use thiserror::Error;

use crate::catalog::validate::MetaError;
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
    #[error("Missing service registration")]
    MissingService,
    #[error("failed inserting {0}: object missing primary index")]
    MissingPrimaryIndex(&'static str),
    #[error("failed inserting node: {0}")]
    InsertingNode(Box<ApplyError>),
    #[error("failed inserting service: {0}")]
    InsertingService(Box<ApplyError>),
    #[error("failed inserting check: {reason} on node {node:?}")]
    InsertingCheck { reason: Box<ApplyError>, node: String },
    #[error("check node {check:?} does not match node {node:?}")]
    CheckNode { check: String, node: String },
    #[error(
        "Error while renaming Node ID: {renaming}: Node name {name} is reserved by node {holder_id} with name \
         {holder_name} ({holder_address})"
    )]
    NodeNameReserved {
        renaming: String,
        name: String,
        holder_id: String,
        holder_name: String,
        holder_address: String,
    },
    #[error("Invalid Service Meta for node {node} and serviceID {id}: {reason}")]
    ServiceMeta { node: String, id: String, reason: MetaError },
    #[error("Must provide node")]
    MissingNodeName,
    #[error("Must provide address if SkipNodeUpdate is not set")]
    MissingAddress,
    #[error("Bad node ID: {0}")]
    NodeId(&'static str),
    #[error("Must provide service name with ID")]
    MissingServiceName,
    #[error("Invalid service address")]
    ServiceAddress,
    #[error("{0}")]
    ServiceKind(String),
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
