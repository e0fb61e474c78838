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
    #[error("failed prepared query lookup: {0}")]
    QueryLookup(UuidError),
    #[error("invalid session: {0}")]
    QuerySession(UuidError),
    #[error("name '{0}' aliases an existing query name")]
    QueryName(String),
    #[error("name '{0}' aliases an existing query ID")]
    QueryNameIsId(String),
    #[error("a query template with an empty name already exists")]
    QueryEmptyTemplate,
    #[error("failed compiling template: {0}")]
    QueryTemplate(String),
    #[error("failed intention lookup: {0}")]
    IntentionLookup(UuidError),
    #[error("duplicate intention found: {0}")]
    IntentionDuplicate(String),
    #[error("failed acl {what} lookup: {reason}")]
    AclLookup { what: &'static str, reason: UuidError },
    #[error("ACL bootstrap no longer allowed (reset index: {reset_index})")]
    BootstrapDone { reset_index: u64 },
    #[error("Invalid bootstrap reset index (specified {specified}, reset index: {reset_index})")]
    BootstrapResetIndex { specified: u64, reset_index: u64 },
    #[error("Invalid Token: SecretID is missing")]
    TokenWithoutSecret,
    #[error("Invalid Token: SecretID is already in use")]
    TokenSecretInUse,
    #[error("Invalid Policy: A Policy with Name {0:?} already exists")]
    PolicyName(String),
    #[error("Invalid Role: A Role with Name {0:?} already exists")]
    RoleName(String),
    #[error("cannot find auth method with name {0:?}")]
    UnknownAuthMethod(String),
    /// Several problems with one object, in the form of a list.
    #[error("{0}")]
    Several(String),
    /// The log holds a command that this release does not know.
    #[error("the command cannot be decoded: {0}")]
    Undecodable(String),
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

impl ApplyError {
    /// Problems in the list form that clients know.
    pub(crate) fn several<S: std::fmt::Display>(problems: &[S]) -> Self {
        let plural = if problems.len() == 1 { "error" } else { "errors" };
        let lines: String = problems.iter().map(|problem| format!("\t* {problem}\n")).collect();
        Self::Several(format!("{} {plural} occurred:\n{lines}\n", problems.len()))
    }
}
