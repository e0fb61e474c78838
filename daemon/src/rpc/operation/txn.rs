//! Transactions that write.

use std::sync::Arc;

use consul_api::types::txn::{TxnOp, TxnResponse};
use consul_rpc::messages::encode;
use consul_rpc::messages::txn::TxnRequest;

use super::here;
use crate::agent::Agent;
use crate::rpc::path::{Need, Repeat};
use crate::rpc::remote::{Operation, whole, write_request};
use crate::rpc::txn::{TxnWrite, hide, refused};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Carries out a transaction.
pub struct Transact {
    pub ops: Vec<TxnOp>,
}

impl Operation for Transact {
    type Reply = TxnResponse;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotSent
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, TxnResponse), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        if let Some(refusal) = refused(&self.ops, &authorizer) {
            return Ok((here(), refusal));
        }
        let mut response = server.write(TxnWrite { ops: self.ops.clone() }).await?;
        hide(&mut response, &authorizer);
        Ok((here(), response))
    }

    fn method(&self) -> &'static str {
        "Txn.Apply"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let ops = self.ops.iter().cloned().map(Into::into).collect();
        let own = TxnRequest { datacenter: options.datacenter.clone(), ops: Some(ops) };
        encode(&own, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, TxnResponse), RpcError> {
        Ok((here(), whole(body)?))
    }
}
