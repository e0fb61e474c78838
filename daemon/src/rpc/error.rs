//! Why a request failed, in the words that clients match.

use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RpcError {
    #[error("Permission denied")]
    PermissionDenied,
    #[error("ACL not found")]
    AclNotFound,
    #[error("No cluster leader")]
    NoLeader,
    #[error("No known Consul servers")]
    NoServers,
    #[error("No path to datacenter")]
    NoPathToDatacenter,
    #[error("Remote DC has no server currently reachable")]
    DatacenterUnreachable,
    /// Another server was asked and did not answer.
    #[error("rpc error making call: {server}: {reason}")]
    Unanswered {
        server: String,
        reason: String,
        /// The request may have reached it, so that its effect is not known.
        sent: bool,
    },
    #[error("Query not found")]
    QueryNotFound,
    /// This agent sends more than it may.
    #[error("RPC rate limit exceeded")]
    TooManyRequests,
    #[error("rate limit exceeded, try again later or against a different server")]
    RateLimited,
    #[error("rate limit exceeded for operation that can only be performed by the leader, try again later")]
    WriteRateLimited,
    /// The endpoint's own text.
    #[error("{0}")]
    Refused(String),
}

impl RpcError {
    pub fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

impl From<consul_state::ApplyError> for RpcError {
    fn from(error: consul_state::ApplyError) -> Self {
        Self::Refused(error.to_string())
    }
}
