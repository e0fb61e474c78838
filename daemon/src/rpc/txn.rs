//! Transactions: plain reads where nothing is written, one command of the log otherwise.

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::kv::KvVerb;
use consul_api::types::txn::{TxnError, TxnKvOp, TxnOp, TxnResponse, TxnResult};
use consul_state::txn::TxnCommand;
use consul_state::{Command, Outcome, Reply, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write};

/// Operations in one transaction.
pub const OPS_MAX: usize = 128;

/// A transaction that writes nothing: one for which [`consul_state::txn::is_read_only`] holds.
pub struct TxnRead {
    pub ops: Vec<TxnOp>,
}

/// A transaction that writes.
#[derive(Clone)]
pub struct TxnWrite {
    pub ops: Vec<TxnOp>,
}

impl Read for TxnRead {
    type Reply = TxnResponse;

    fn evaluate(&self, version: &Version, _: &mut WatchSet) -> Result<(u64, TxnResponse), RpcError> {
        Ok((version.index(), version.txn_read(&self.ops)))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut TxnResponse) -> Result<bool, RpcError> {
        if let Some(refusal) = refused(&self.ops, authorizer) {
            *reply = refusal;
            return Ok(false);
        }
        Ok(hide(reply, authorizer))
    }
}

impl Write for TxnWrite {
    type Reply = TxnResponse;

    /// Permissions are checked operation by operation before, because their lack is an error of the operation.
    fn authorize(&self, _: &Authorizer) -> Result<(), RpcError> {
        Ok(())
    }

    fn prepare(mut self, leader: &LeaderView<'_>) -> Result<Step<TxnResponse>, RpcError> {
        for node in self.ops.iter_mut().filter_map(|op| op.node.as_mut()) {
            leader.datacenter.clone_into(&mut node.node.datacenter);
        }
        let is_delayed = |kv: &TxnKvOp| {
            KvVerb::parse(&kv.verb) == Some(KvVerb::Lock)
                && leader.lock_delays.is_delayed(&kv.key, leader.now)
        };
        let lock_delayed = (0..)
            .zip(&self.ops)
            .filter(|(_, op)| op.kv.as_ref().is_some_and(is_delayed))
            .map(|(position, _)| position)
            .collect();
        Ok(Step::Propose(Command::Txn(TxnCommand { ops: self.ops, lock_delayed })))
    }

    fn conclude(outcome: Outcome) -> Result<TxnResponse, RpcError> {
        match outcome.reply? {
            Reply::Txn(response) => Ok(response),
            other => Err(RpcError::refused(format!("a transaction was answered with {other:?}"))),
        }
    }
}

/// The failure of all operations that the caller has no permission for; `None` if there is no such operation.
pub fn refused(ops: &[TxnOp], authorizer: &Authorizer) -> Option<TxnResponse> {
    let errors: Vec<TxnError> = ops
        .iter()
        .enumerate()
        .filter(|(_, op)| !may(op, authorizer))
        .map(|(op_index, _)| TxnError { op_index, what: RpcError::PermissionDenied.to_string() })
        .collect();
    (!errors.is_empty()).then_some(TxnResponse { results: None, errors: Some(errors) })
}

/// Reads of the catalog and `get` of keys are not refused: what the caller may not see is left out of the results.
fn may(op: &TxnOp, authorizer: &Authorizer) -> bool {
    let allows = |resource| authorizer.allows(resource, Access::Write);
    if let Some(kv) = &op.kv {
        may_touch_key(kv, authorizer)
    } else if let Some(node) = &op.node {
        node.verb == "get" || allows(Resource::Node(&node.node.node))
    } else if let Some(service) = &op.service {
        service.verb == "get" || allows(Resource::Service(&service.service.service))
    } else if let Some(check) = &op.check {
        let of_node = check.check.service_id.is_empty();
        let resource = if of_node {
            Resource::Node(&check.check.node)
        } else {
            Resource::Service(&check.check.service_name)
        };
        check.verb == "get" || allows(resource)
    } else if let Some(session) = &op.session {
        allows(Resource::Session(&session.session.node))
    } else {
        true
    }
}

fn may_touch_key(op: &TxnKvOp, authorizer: &Authorizer) -> bool {
    let key = op.key.as_slice();
    match KvVerb::parse(&op.verb) {
        Some(KvVerb::DeleteTree) => authorizer.allows(Resource::KeyPrefix(key), Access::Write),
        Some(verb) if verb.is_write() => authorizer.allows(Resource::Key(key), Access::Write),
        Some(KvVerb::Get | KvVerb::GetTree | KvVerb::GetOrEmpty) | None => true,
        Some(_) => authorizer.allows(Resource::Key(key), Access::Read),
    }
}

/// Takes out results that the caller may not read; tells whether there were any.
pub fn hide(response: &mut TxnResponse, authorizer: &Authorizer) -> bool {
    let Some(results) = &mut response.results else { return false };
    let before = results.len();
    results.retain(|result| {
        let resource = match result {
            TxnResult::Kv(entry) => Resource::Key(entry.key.as_slice()),
            TxnResult::Node(node) => Resource::Node(&node.node),
            TxnResult::Service(service) => Resource::Service(&service.service),
            TxnResult::Check(check) if check.service_name.is_empty() => Resource::Node(&check.node),
            TxnResult::Check(check) => Resource::Service(&check.service_name),
        };
        authorizer.allows(resource, Access::Read)
    });
    results.len() < before
}
