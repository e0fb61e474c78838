//! `/v1/txn`: several operations that happen together or not at all.

use super::options::WriteOptions;
use super::{Client, ClientError};
use crate::types::txn::{TxnError, TxnOp, TxnResponse, TxnResult};

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum TxnOutcome {
    Committed(Vec<TxnResult>),
    /// Nothing was changed.
    RolledBack(Vec<TxnError>),
}

impl Client {
    /// Runs `operations`, at most 128 of them.
    pub async fn txn(&self, operations: &[TxnOp], options: &WriteOptions) -> Result<TxnOutcome, ClientError> {
        let request = self.put("/v1/txn").write(options).json(operations);
        let response: TxnResponse = request.fetch_also(409).await?.value;
        Ok(match response.errors {
            Some(errors) if !errors.is_empty() => TxnOutcome::RolledBack(errors),
            _ => TxnOutcome::Committed(response.results.unwrap_or_default()),
        })
    }
}
