//! Transactions: several operations on one state in progress, all or none.

use consul_api::types::bytes::Blob;
use consul_api::types::kv::{KvPair, KvVerb};
use consul_api::types::txn::{
    TxnCheckOp, TxnError, TxnKvOp, TxnNodeOp, TxnOp, TxnResponse, TxnResult, TxnServiceOp, TxnSessionOp,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::catalog::validate;
use crate::command::{KvCommand, Reply};
use crate::error::ApplyError;
use crate::id::Uuid;
use crate::names;
use crate::version::Version;
use crate::writer::Writer;

/// Operations to apply together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TxnCommand {
    pub ops: Vec<TxnOp>,
    /// Positions of `lock` operations whose key is in a lock delay, as the proposer knows.
    pub lock_delayed: Vec<u32>,
}

/// Why one operation failed. Clients match the texts.
#[derive(Debug, Error)]
enum OpError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("failed to {action} {kind} {name:?}{place}, index is stale")]
    Stale { action: &'static str, kind: &'static str, name: String, place: Place },
    #[error("{kind} {name:?}{place} doesn't exist")]
    Missing { kind: &'static str, name: String, place: Place },
    #[error("unknown {kind} verb {verb:?}")]
    UnknownVerb { kind: &'static str, verb: String },
    #[error("failed to lock key {0:?}, lock is already held")]
    LockHeld(String),
    #[error("failed to lock key {0:?} due to lock delay")]
    LockDelay(String),
    #[error("failed to unlock key {0:?}, lock isn't held, or is held by another session")]
    LockNotHeld(String),
    #[error("failed to check {what}, key {key:?} doesn't exist")]
    CheckMissing { what: &'static str, key: String },
    #[error("failed index check for key {key:?}, current modify index {current} != {wanted}")]
    CheckIndex { key: String, current: u64, wanted: u64 },
    #[error("failed session check for key {key:?}, current session {current:?} != {wanted:?}")]
    CheckSession { key: String, current: String, wanted: String },
    #[error("key {0:?} exists")]
    Exists(String),
}

/// The node a service or check is on, where a text names it.
#[derive(Debug)]
struct Place(Option<String>);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |node| write!(f, " on node {node:?}"))
    }
}

type OpResult = Result<Option<TxnResult>, OpError>;

/// Verbs of nodes, services and checks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Set,
    Cas,
    Delete,
    DeleteCas,
}

impl Verb {
    fn parse(kind: &'static str, text: &str) -> Result<Self, OpError> {
        match text {
            "get" => Ok(Self::Get),
            "set" => Ok(Self::Set),
            "cas" => Ok(Self::Cas),
            "delete" => Ok(Self::Delete),
            "delete-cas" => Ok(Self::DeleteCas),
            _ => Err(OpError::UnknownVerb { kind, verb: text.to_owned() }),
        }
    }
}

/// Whether no operation writes: such a transaction is a plain read and needs no log.
pub fn is_read_only(ops: &[TxnOp]) -> bool {
    ops.iter().all(|op| {
        if let Some(kv) = &op.kv {
            return KvVerb::parse(&kv.verb).is_none_or(|verb| !verb.is_write());
        }
        let verb = op.node.as_ref().map(|op| &op.verb);
        let verb = verb.or(op.service.as_ref().map(|op| &op.verb)).or(op.check.as_ref().map(|op| &op.verb));
        verb.or(op.session.as_ref().map(|op| &op.verb)).is_none_or(|verb| verb == "get")
    })
}

impl Version {
    /// Evaluates a transaction for which [`is_read_only`] holds. Writes in it would be without effect.
    pub fn txn_read(&self, ops: &[TxnOp]) -> TxnResponse {
        let mut writer = Writer::new(self);
        writer.run_txn(&TxnCommand { ops: ops.to_vec(), lock_delayed: Vec::new() })
    }
}

impl Writer {
    pub(crate) fn apply_txn(&mut self, command: &TxnCommand) -> Reply {
        Reply::Txn(self.run_txn(command))
    }

    fn run_txn(&mut self, command: &TxnCommand) -> TxnResponse {
        let prepared: Vec<Result<TxnOp, OpError>> =
            command.ops.iter().enumerate().map(|(at, op)| prepare(op, at, &command.lock_delayed)).collect();
        if prepared.iter().any(Result::is_err) {
            let errors =
                prepared.into_iter().enumerate().filter_map(|(at, op)| Some(op_error(at, op.err()?)));
            return TxnResponse { results: None, errors: Some(errors.collect()) };
        }
        let outcome = self.all_or_nothing(|writer| {
            let (mut results, mut errors) = (Vec::new(), Vec::new());
            for (at, op) in prepared.iter().flatten().enumerate() {
                if let Err(error) = writer.run_op(op, &mut results) {
                    errors.push(op_error(at, error));
                }
            }
            if errors.is_empty() { Ok(results) } else { Err(errors) }
        });
        match outcome {
            Ok(results) => TxnResponse { results: Some(results), errors: None },
            Err(errors) => TxnResponse { results: None, errors: Some(errors) },
        }
    }

    fn run_op(&mut self, op: &TxnOp, results: &mut Vec<TxnResult>) -> Result<(), OpError> {
        let result = if let Some(kv) = &op.kv {
            self.txn_kv(kv, results)?
        } else if let Some(node) = &op.node {
            self.txn_node(node)?
        } else if let Some(service) = &op.service {
            self.txn_service(service)?
        } else if let Some(check) = &op.check {
            self.txn_check(check)?
        } else if let Some(session) = &op.session {
            self.txn_session(session)?
        } else {
            None
        };
        results.extend(result);
        Ok(())
    }

    fn txn_kv(&mut self, op: &TxnKvOp, results: &mut Vec<TxnResult>) -> OpResult {
        match KvVerb::parse(&op.verb) {
            None => Err(OpError::UnknownVerb { kind: "KV", verb: op.verb.clone() }),
            Some(verb) if verb.is_write() => self.txn_kv_write(op, verb),
            Some(verb) => self.txn_kv_read(op, verb, results),
        }
    }

    fn txn_kv_write(&mut self, op: &TxnKvOp, verb: KvVerb) -> OpResult {
        let command = KvCommand {
            verb,
            key: op.key.clone(),
            value: op.value.clone(),
            flags: op.flags,
            index: op.index,
            session: op.session.clone(),
        };
        let Reply::Applied(true) = self.apply_kv(&command)? else {
            let key = op.key.as_text().into_owned();
            return Err(match verb {
                KvVerb::Lock => OpError::LockHeld(key),
                KvVerb::Unlock => OpError::LockNotHeld(key),
                _ => {
                    let action = if verb == KvVerb::DeleteCas { "delete" } else { "set" };
                    OpError::Stale { action, kind: "key", name: key, place: Place(None) }
                }
            });
        };
        if matches!(verb, KvVerb::Delete | KvVerb::DeleteCas | KvVerb::DeleteTree) {
            return Ok(None);
        }
        let entry = self.tables.kv.entries.get(op.key.as_slice());
        Ok(entry.map(|entry| TxnResult::Kv(without_value(entry))))
    }

    fn txn_kv_read(&self, op: &TxnKvOp, verb: KvVerb, results: &mut Vec<TxnResult>) -> OpResult {
        if verb == KvVerb::GetTree {
            let entries = self.tables.kv.entries.under(op.key.as_slice());
            results.extend(entries.map(|entry| TxnResult::Kv(KvPair::clone(entry))));
            return Ok(None);
        }
        let key = op.key.as_text().into_owned();
        let Some(entry) = self.tables.kv.entries.get(op.key.as_slice()) else {
            return match verb {
                KvVerb::CheckNotExists => Ok(None),
                KvVerb::CheckIndex => Err(OpError::CheckMissing { what: "index", key }),
                KvVerb::CheckSession => Err(OpError::CheckMissing { what: "session", key }),
                KvVerb::GetOrEmpty => {
                    Ok(Some(TxnResult::Kv(KvPair { key: op.key.clone(), ..KvPair::default() })))
                }
                _ => Err(OpError::Missing { kind: "key", name: key, place: Place(None) }),
            };
        };
        match verb {
            KvVerb::CheckNotExists => Err(OpError::Exists(key)),
            KvVerb::CheckIndex if entry.modify_index != op.index => {
                Err(OpError::CheckIndex { key, current: entry.modify_index, wanted: op.index })
            }
            KvVerb::CheckSession if entry.session != op.session => {
                let (current, wanted) = (entry.session.clone(), op.session.clone());
                Err(OpError::CheckSession { key, current, wanted })
            }
            KvVerb::CheckIndex | KvVerb::CheckSession => Ok(Some(TxnResult::Kv(without_value(entry)))),
            _ => Ok(Some(TxnResult::Kv(KvPair::clone(entry)))),
        }
    }

    fn txn_node(&mut self, op: &TxnNodeOp) -> OpResult {
        let name = &op.node.node;
        let stale = |action| OpError::Stale { action, kind: "node", name: name.clone(), place: Place(None) };
        let verb = Verb::parse("Node", &op.verb)?;
        match verb {
            Verb::Get => {}
            Verb::Set => self.ensure_node(op.node.clone())?,
            Verb::Cas => {
                let current = self.node_entry(name).map(|entry| entry.node.modify_index);
                if !may_replace(current, op.node.modify_index) {
                    return Err(stale("set"));
                }
                self.ensure_node(op.node.clone())?;
            }
            Verb::Delete | Verb::DeleteCas => {
                let current = self.node_entry(name).map(|entry| entry.node.modify_index);
                if verb == Verb::DeleteCas && current != Some(op.node.modify_index) {
                    return Err(stale("delete"));
                }
                self.delete_node(&names::lower(name));
                return Ok(None);
            }
        }
        let by_id = self.tables.catalog.by_id(&op.node.id);
        let entry = if op.node.id.is_empty() { self.node_entry(name) } else { by_id };
        let missing = || OpError::Missing { kind: "node", name: name.clone(), place: Place(None) };
        let entry = entry.ok_or_else(missing)?;
        Ok(Some(TxnResult::Node((*entry.node).clone())))
    }

    fn txn_service(&mut self, op: &TxnServiceOp) -> OpResult {
        let id = &op.service.id;
        let place = || Place(Some(op.node.clone()));
        let stale = |action| OpError::Stale { action, kind: "service", name: id.clone(), place: place() };
        let verb = Verb::parse("Service", &op.verb)?;
        let current =
            self.node_entry(&op.node).and_then(|entry| entry.service(id)).map(|known| known.modify_index);
        match verb {
            Verb::Get => {}
            Verb::Cas if !may_replace(current, op.service.modify_index) => return Err(stale("set")),
            Verb::Set | Verb::Cas => self.ensure_service(&op.node, &op.service)?,
            Verb::DeleteCas if current != Some(op.service.modify_index) => return Err(stale("delete")),
            Verb::Delete | Verb::DeleteCas => {
                self.delete_service(&names::lower(&op.node), &names::lower(id));
                return Ok(None);
            }
        }
        let service = self.node_entry(&op.node).and_then(|entry| entry.service(id));
        let service =
            service.ok_or_else(|| OpError::Missing { kind: "service", name: id.clone(), place: place() })?;
        Ok(Some(TxnResult::Service((**service).clone())))
    }

    fn txn_check(&mut self, op: &TxnCheckOp) -> OpResult {
        let (node, id) = (&op.check.node, &op.check.check_id);
        let place = || Place(Some(node.clone()));
        let stale = |action| OpError::Stale { action, kind: "check", name: id.clone(), place: place() };
        let verb = Verb::parse("Check", &op.verb)?;
        let current = self.node_entry(node).and_then(|entry| entry.check(id)).map(|known| known.modify_index);
        match verb {
            Verb::Get => {}
            Verb::Cas if !may_replace(current, op.check.modify_index) => return Err(stale("set")),
            Verb::Set | Verb::Cas => self.ensure_check(&op.check)?,
            Verb::DeleteCas if current != Some(op.check.modify_index) => return Err(stale("delete")),
            Verb::Delete | Verb::DeleteCas => {
                self.delete_check(&names::lower(node), &names::lower(id));
                return Ok(None);
            }
        }
        let check = self.node_entry(node).and_then(|entry| entry.check(id));
        let check =
            check.ok_or_else(|| OpError::Missing { kind: "check", name: id.clone(), place: place() })?;
        Ok(Some(TxnResult::Check((**check).clone())))
    }

    fn txn_session(&mut self, op: &TxnSessionOp) -> OpResult {
        if op.verb != "delete" {
            return Err(OpError::UnknownVerb { kind: "Session", verb: op.verb.clone() });
        }
        self.live_session(&op.session.id)?;
        let id = Uuid::parse(&op.session.id).map_err(ApplyError::SessionLookup)?;
        self.end_session(id);
        Ok(None)
    }
}

/// Checks one operation by itself and fills in its defaults. If any fails here, none is tried.
fn prepare(op: &TxnOp, at: usize, lock_delayed: &[u32]) -> Result<TxnOp, OpError> {
    let mut op = op.clone();
    if let Some(kv) = &op.kv {
        let verb = KvVerb::parse(&kv.verb);
        if kv.key.is_empty() && verb != Some(KvVerb::DeleteTree) {
            return Err(ApplyError::MissingKey.into());
        }
        if verb == Some(KvVerb::Lock) && lock_delayed.iter().any(|delayed| *delayed as usize == at) {
            return Err(OpError::LockDelay(kv.key.as_text().into_owned()));
        }
    } else if let Some(node) = &op.node {
        validate::node(&node.node.node, &node.node.id)?;
    } else if let Some(service) = &mut op.service {
        if service.verb == "get" {
            if service.service.id.is_empty() {
                service.service.id.clone_from(&service.service.service);
            }
        } else {
            validate::service(&mut service.service)?;
        }
    } else if let Some(check) = &mut op.check {
        validate::check(&mut check.check);
    }
    Ok(op)
}

fn op_error(at: usize, error: OpError) -> TxnError {
    TxnError { op_index: at, what: error.to_string() }
}

/// Compare-and-set: 0 creates, anything else replaces exactly that state.
fn may_replace(current: Option<u64>, wanted: u64) -> bool {
    match current {
        None => wanted == 0,
        Some(current) => wanted != 0 && wanted == current,
    }
}

fn without_value(entry: &KvPair) -> KvPair {
    KvPair {
        lock_index: entry.lock_index,
        key: entry.key.clone(),
        flags: entry.flags,
        value: Blob::default(),
        session: entry.session.clone(),
        create_index: entry.create_index,
        modify_index: entry.modify_index,
    }
}
