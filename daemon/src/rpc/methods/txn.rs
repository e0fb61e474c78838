//! `Txn.*`.

use consul_api::types::txn::TxnOp;
use consul_rpc::messages::txn::TxnRequest;
use consul_rpc::messages::value;
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, refuse};
use crate::rpc::ReadMeta;
use crate::rpc::operation::txn::Transact;
use crate::rpc::txn::{OPS_MAX, TxnRead};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Apply" => apply(call).await,
        "Read" => read(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

fn ops(call: Call<'_>) -> Result<Vec<TxnOp>, CallError> {
    let ops = call.arguments::<TxnRequest>()?.ops.unwrap_or_default();
    if ops.len() > OPS_MAX {
        return refuse(format!("Transaction contains too many operations ({} > {OPS_MAX})", ops.len()));
    }
    Ok(ops.into_iter().map(Into::into).collect())
}

async fn apply(call: Call<'_>) -> Answer {
    let ops = ops(call)?;
    Ok(value(&call.change(&Transact { ops }).await?))
}

async fn read(call: Call<'_>) -> Answer {
    let ops = ops(call)?;
    if !consul_state::txn::is_read_only(&ops) {
        return refuse("a transaction that writes cannot be read");
    }
    let (meta, response) = call.read(&TxnRead { ops }).await?;
    answer(&response, &ReadMeta { index: 0, ..meta })
}
