//! `/v1/txn`.

use std::sync::Arc;
use std::time::Duration;

use consul_api::types::duration::Nanoseconds;
use consul_api::types::txn::{TxnError, TxnOp, TxnResponse, TxnResult};
use http::{Method, StatusCode};
use serde::Serialize;

use crate::agent::{Agent, BodyLimits};
use crate::handler;
use crate::http::decode;
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::rpc::operation::txn::Transact;
use crate::rpc::txn::{OPS_MAX, TxnRead};

pub const ROUTES: &[Route] = &[Route::exact("/v1/txn", &[Method::PUT], handler!(handle))];

const DECODE_FAILED: &str = "Failed to parse body: ";

/// The answer of a transaction that only reads: it tells of its freshness in the body too.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ReadBody {
    results: Option<Vec<TxnResult>>,
    errors: Option<Vec<TxnError>>,
    index: u64,
    last_contact: Nanoseconds,
    known_leader: bool,
    consistency_level: &'static str,
}

async fn handle(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let limits = agent.limits();
    let max = limits.txn_max_req_len;
    let body = request.read_body(max, |length| body_too_large(length, max)).await?;
    let ops = decode::strict::<Option<Vec<TxnOp>>>(&body, DECODE_FAILED)?.unwrap_or_default();
    drop(body);
    refuse_oversized(&ops, limits)?;
    if consul_state::txn::is_read_only(&ops) {
        return read(&agent, &request, ops).await;
    }
    let options = options::write_options(&request);
    let (_, response) = agent.operate(&Transact { ops }, &(&options).into()).await?;
    let status = status_of(&response);
    Ok(Reply::json(&request, &response)?.with_status(status))
}

async fn read(agent: &Agent, request: &Request, ops: Vec<TxnOp>) -> Result<Reply, Failure> {
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    let (meta, response) = agent.read(&TxnRead { ops }, &options).await?;
    let status = status_of(&response);
    let body = ReadBody {
        results: response.results,
        errors: response.errors,
        index: 0,
        last_contact: nanoseconds(meta.last_contact),
        known_leader: meta.known_leader,
        consistency_level: "",
    };
    Ok(Reply::json(request, &body)?.with_status(status).with_leader_meta(&meta))
}

fn nanoseconds(span: Duration) -> Nanoseconds {
    Nanoseconds(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

fn status_of(response: &TxnResponse) -> StatusCode {
    if response.errors.is_some() { StatusCode::CONFLICT } else { StatusCode::OK }
}

fn body_too_large(length: u64, max: usize) -> Failure {
    Failure::too_large(format!(
        "Request body({length} bytes) too large, max size: {max} bytes. \
         See https://www.consul.io/docs/agent/options.html#txn_max_req_len."
    ))
}

fn refuse_oversized(ops: &[TxnOp], limits: BodyLimits) -> Result<(), Failure> {
    if ops.len() > OPS_MAX {
        return Err(Failure::too_large(format!(
            "Transaction contains too many operations ({} > {OPS_MAX})",
            ops.len()
        )));
    }
    let max = limits.kv_max_value_size;
    match ops.iter().filter_map(|op| op.kv.as_ref()).find(|kv| kv.value.len() > max) {
        Some(kv) => Err(Failure::too_large(format!(
            "Value for key {:?} is too large ({} > {max} bytes)",
            kv.key.as_text(),
            kv.value.len()
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use consul_api::types::txn::TxnKvOp;

    const LIMITS: BodyLimits = BodyLimits { kv_max_value_size: 1000, txn_max_req_len: 1000 };

    fn set(size: usize) -> TxnOp {
        let kv = TxnKvOp {
            verb: "set".into(),
            key: "s".into(),
            value: vec![0; size].into(),
            ..TxnKvOp::default()
        };
        TxnOp { kv: Some(kv), ..TxnOp::default() }
    }

    #[test]
    fn too_many_operations_and_too_large_values_are_refused() {
        assert!(refuse_oversized(&vec![set(1000); 128], LIMITS).is_ok());
        let many = refuse_oversized(&vec![set(1); 129], LIMITS).unwrap_err();
        assert_eq!(many.text, "Transaction contains too many operations (129 > 128)");
        let large = refuse_oversized(&[set(1), set(1001)], LIMITS).unwrap_err();
        assert_eq!(large.text, "Value for key \"s\" is too large (1001 > 1000 bytes)");
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
