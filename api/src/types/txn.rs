//! Transactions: several operations that happen together or not at all.

use serde::{Deserialize, Serialize};

use super::bytes::{Blob, Key};
use super::catalog::{Node, NodeService};
use super::health::HealthCheck;
use super::kv::KvPair;
use super::session::Session;

/// One operation: exactly one of the fields is set. If several are, the first in this order counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnOp {
    #[serde(rename = "KV", skip_serializing_if = "Option::is_none")]
    pub kv: Option<TxnKvOp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<TxnNodeOp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<TxnServiceOp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<TxnCheckOp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<TxnSessionOp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnKvOp {
    /// See [`super::kv::KvVerb`]; an unknown verb fails the operation, not the decoding.
    pub verb: String,
    pub key: Key,
    pub value: Blob,
    pub flags: u64,
    pub index: u64,
    pub session: String,
}

/// Verbs of nodes, services and checks: `set`, `cas`, `get`, `delete`, `delete-cas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnNodeOp {
    pub verb: String,
    pub node: Node,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnServiceOp {
    pub verb: String,
    pub node: String,
    pub service: NodeService,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnCheckOp {
    pub verb: String,
    pub check: HealthCheck,
}

/// Verb: `delete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnSessionOp {
    pub verb: String,
    pub session: Session,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "a transaction has at most 128 results")]
pub enum TxnResult {
    #[serde(rename = "KV")]
    Kv(KvPair),
    Node(Node),
    Service(NodeService),
    Check(HealthCheck),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnError {
    pub op_index: usize,
    pub what: String,
}

/// Outcome of a transaction: results, or errors and no change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnResponse {
    pub results: Option<Vec<TxnResult>>,
    pub errors: Option<Vec<TxnError>>,
}
