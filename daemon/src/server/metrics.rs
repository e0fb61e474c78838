//! How long commands take, under the names that dashboards know.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use consul_api::types::kv::KvVerb;
use consul_state::Command;
use consul_telemetry::metrics::{Counter, Sample, counter, sample, sample_with};

/// Handles are made once: looking one up costs more than counting.
pub static SERVER: LazyLock<ServerMetrics> = LazyLock::new(ServerMetrics::new);

pub struct ServerMetrics {
    /// Reads, whether they block or not.
    pub queries: Counter,
    pub consistent_read: Sample,
    /// Commands handed to the log.
    pub proposed: Counter,
    /// From handing a command to the log to its being committed and applied.
    pub commit_time: Sample,
    pub barrier: Sample,
    pub reconcile: Sample,
    requests: Requests,
    applied: Applied,
}

/// Whole writes as their callers see them.
struct Requests {
    kv: Sample,
    session: Sample,
    txn: Sample,
    register: Sample,
    deregister: Sample,
    query: Sample,
    config_entry: Sample,
    intention: Sample,
}

/// The part of a write that changes the state.
struct Applied {
    kv: HashMap<KvVerb, Sample>,
    session_create: Sample,
    session_destroy: Sample,
    register: Sample,
    deregister: Sample,
    txn: Sample,
    query: Sample,
    config_entry: Sample,
    intention: Sample,
    acl: Sample,
    autopilot: Sample,
    coordinates: Sample,
    tombstone: Sample,
}

impl ServerMetrics {
    fn new() -> Self {
        Self {
            queries: counter("rpc.query"),
            consistent_read: sample("rpc.consistentRead"),
            proposed: counter("raft.apply"),
            commit_time: sample("raft.commitTime"),
            barrier: sample("leader.barrier"),
            reconcile: sample("leader.reconcile"),
            requests: Requests {
                kv: sample("kvs.apply"),
                session: sample("session.apply"),
                txn: sample("txn.apply"),
                register: sample("catalog.register"),
                deregister: sample("catalog.deregister"),
                query: sample("prepared-query.apply"),
                config_entry: sample("config_entry.apply"),
                intention: sample("intention.apply"),
            },
            applied: Applied {
                kv: KvVerb::ALL.map(|verb| (verb, sample_with("fsm.kvs", &[("op", verb.as_str())]))).into(),
                session_create: sample_with("fsm.session", &[("op", "create")]),
                session_destroy: sample_with("fsm.session", &[("op", "destroy")]),
                register: sample("fsm.register"),
                deregister: sample("fsm.deregister"),
                txn: sample("fsm.txn"),
                query: sample("fsm.prepared-query"),
                config_entry: sample("fsm.config_entry"),
                intention: sample("fsm.intention"),
                acl: sample("fsm.acl"),
                autopilot: sample("fsm.autopilot"),
                coordinates: sample("fsm.coordinate.batch-update"),
                tombstone: sample_with("fsm.tombstone", &[("op", "reap")]),
            },
        }
    }

    /// What to measure a write by that comes from a client.
    pub fn request(&self, command: &Command) -> Option<&Sample> {
        let of = &self.requests;
        Some(match command {
            Command::Kv(_) => &of.kv,
            Command::SessionCreate(_) | Command::SessionDestroy { .. } => &of.session,
            Command::Txn(_) => &of.txn,
            Command::Register(_) => &of.register,
            Command::Deregister(_) => &of.deregister,
            Command::PreparedQuery(_) => &of.query,
            Command::ConfigEntry(_) => &of.config_entry,
            Command::Intention(_) => &of.intention,
            Command::Acl(_)
            | Command::Autopilot(_)
            | Command::Coordinates(_)
            | Command::TombstoneReap { .. } => return None,
        })
    }

    /// Takes note of commands that were applied together in `took`: each has its equal share.
    pub fn applied(&self, commands: &[Command], took: Duration) {
        let Ok(count) = u32::try_from(commands.len()) else { return };
        for command in commands {
            if let Some(sample) = self.applied_as(command) {
                sample.observe_duration(took / count.max(1));
            }
        }
    }

    fn applied_as(&self, command: &Command) -> Option<&Sample> {
        let of = &self.applied;
        Some(match command {
            Command::Kv(kv) => return of.kv.get(&kv.verb),
            Command::SessionCreate(_) => &of.session_create,
            Command::SessionDestroy { .. } => &of.session_destroy,
            Command::Register(_) => &of.register,
            Command::Deregister(_) => &of.deregister,
            Command::Txn(_) => &of.txn,
            Command::PreparedQuery(_) => &of.query,
            Command::ConfigEntry(_) => &of.config_entry,
            Command::Intention(_) => &of.intention,
            Command::Acl(_) => &of.acl,
            Command::Autopilot(_) => &of.autopilot,
            Command::Coordinates(_) => &of.coordinates,
            Command::TombstoneReap { .. } => &of.tombstone,
        })
    }
}

/// Counts one of several for as long as it lives.
pub struct Present<'a>(&'a AtomicUsize);

impl<'a> Present<'a> {
    pub fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
