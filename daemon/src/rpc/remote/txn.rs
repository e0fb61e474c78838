//! `Txn.Read`.

use consul_api::types::txn::TxnResponse;
use consul_rpc::messages::encode;
use consul_rpc::messages::txn::TxnRequest;

use super::RemoteRead;
use super::common::{answer, query_options};
use crate::rpc::txn::TxnRead;
use crate::rpc::{ReadMeta, ReadOptions, RpcError};

impl RemoteRead for TxnRead {
    fn method(&self) -> &'static str {
        "Txn.Read"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let ops = self.ops.iter().cloned().map(Into::into).collect();
        let own = TxnRequest { datacenter: options.datacenter.clone(), ops: Some(ops) };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, TxnResponse), RpcError> {
        let (meta, response) = answer::<TxnResponse>(body)?;
        Ok((meta, response))
    }
}
