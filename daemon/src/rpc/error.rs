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

/// What a hop before us may have put in front of an error's text.
const PREFIXES: [&str; 3] =
    ["rpc error making call: ", "rpcinsecure error making call: ", "rpc error getting client: "];

/// Texts by which clients of all releases recognise an error, wherever in a message they stand. The first that fits
/// counts.
const RECOGNISED: [(&str, RpcError); 10] = [
    ("No cluster leader", RpcError::NoLeader),
    ("No path to datacenter", RpcError::NoPathToDatacenter),
    ("Remote DC has no server currently reachable", RpcError::DatacenterUnreachable),
    ("No known Consul servers", RpcError::NoServers),
    ("ACL not found", RpcError::AclNotFound),
    ("Query not found", RpcError::QueryNotFound),
    ("RPC rate limit exceeded", RpcError::TooManyRequests),
    (
        "rate limit exceeded for operation that can only be performed by the leader",
        RpcError::WriteRateLimited,
    ),
    ("rate limit exceeded, try again later or against a different server", RpcError::RateLimited),
    ("Not ready to serve consistent reads", RpcError::NoLeader),
];

impl RpcError {
    /// The error that a server's text tells of. What a text says beyond the known words is kept.
    pub fn from_text(text: &str) -> Self {
        let mut plain = text;
        while let Some(rest) = PREFIXES.iter().find_map(|prefix| plain.strip_prefix(prefix)) {
            plain = rest;
        }
        if plain == Self::PermissionDenied.to_string() {
            return Self::PermissionDenied;
        }
        let known = RECOGNISED.iter().find(|(words, _)| plain.contains(words));
        known.map_or_else(|| Self::Refused(plain.to_owned()), |(_, error)| error.clone())
    }

    pub fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }
}

impl From<consul_state::ApplyError> for RpcError {
    fn from(error: consul_state::ApplyError) -> Self {
        Self::Refused(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_recognised_by_their_words_whatever_stands_before_them() {
        for error in [
            RpcError::PermissionDenied,
            RpcError::AclNotFound,
            RpcError::NoLeader,
            RpcError::NoServers,
            RpcError::NoPathToDatacenter,
            RpcError::DatacenterUnreachable,
            RpcError::QueryNotFound,
            RpcError::TooManyRequests,
            RpcError::RateLimited,
            RpcError::WriteRateLimited,
            RpcError::refused("Must provide key"),
        ] {
            let text = error.to_string();
            assert_eq!(RpcError::from_text(&text), error);
            assert_eq!(RpcError::from_text(&format!("rpc error making call: {text}")), error);
            let twice = format!("rpc error making call: rpc error making call: {text}");
            assert_eq!(RpcError::from_text(&twice), error);
        }
    }

    #[test]
    fn what_a_refusal_explains_is_kept() {
        let text = "Permission denied: token with AccessorID 'x' lacks permission 'key:write' on \"a\"";
        assert_eq!(RpcError::from_text(text), RpcError::refused(text));
        assert_eq!(RpcError::from_text("Not ready to serve consistent reads"), RpcError::NoLeader);
    }
}
