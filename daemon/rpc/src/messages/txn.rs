//! `Txn.*`.

use consul_api::types::kv::KvPair;
use consul_api::types::txn::{self as http, TxnCheckOp, TxnNodeOp, TxnServiceOp, TxnSessionOp};
use serde::{Deserialize, Serialize};

/// `Txn.Apply`, and `Txn.Read` for transactions that only read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnRequest {
    pub datacenter: String,
    pub ops: Option<Vec<TxnOp>>,
}

/// One operation: differs from the HTTP API's in that a KV operation carries a whole entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnOp {
    #[serde(rename = "KV")]
    pub kv: Option<TxnKvOp>,
    pub node: Option<TxnNodeOp>,
    pub service: Option<TxnServiceOp>,
    pub check: Option<TxnCheckOp>,
    pub session: Option<TxnSessionOp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TxnKvOp {
    pub verb: String,
    pub dir_ent: KvPair,
}

impl From<http::TxnOp> for TxnOp {
    fn from(op: http::TxnOp) -> Self {
        let http::TxnOp { kv, node, service, check, session } = op;
        let kv = kv.map(|kv| TxnKvOp {
            verb: kv.verb,
            dir_ent: KvPair {
                key: kv.key,
                value: kv.value,
                flags: kv.flags,
                session: kv.session,
                modify_index: kv.index,
                ..KvPair::default()
            },
        });
        Self { kv, node, service, check, session }
    }
}

impl From<TxnOp> for http::TxnOp {
    fn from(op: TxnOp) -> Self {
        let TxnOp { kv, node, service, check, session } = op;
        let kv = kv.map(|TxnKvOp { verb, dir_ent }| http::TxnKvOp {
            verb,
            key: dir_ent.key,
            value: dir_ent.value,
            flags: dir_ent.flags,
            index: dir_ent.modify_index,
            session: dir_ent.session,
        });
        Self { kv, node, service, check, session }
    }
}
