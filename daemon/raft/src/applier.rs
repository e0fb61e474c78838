//! Committed entries, in order, to the state machine: openraft's view of the state.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, StorageIOError,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{error, info};

use crate::config::SnapshotPolicy;
use crate::error::{OpenError, SnapshotError};
use crate::lease::Lease;
use crate::machine::{RestoreMode, SnapshotSource, StateMachine};
use crate::payload::{Body, Payload, RestoreId, RestoreStep, Ticket};
use crate::proposer::{Proposer, Waiters};
use crate::snapshot::{SnapshotBody, SnapshotStore, describe};
use crate::staging::Staging;
use crate::types::{
    Entry, LeaderId, LogId, Snapshot, SnapshotMeta, StorageError, StoredMembership, TypeConfig,
};

/// What the applier tells the rest of the crate.
#[derive(Default)]
pub(crate) struct Progress {
    /// Applied entries, counted from index 0.
    applied: AtomicU64,
    /// Enough was applied for a new snapshot.
    pub snapshot_due: Notify,
    /// A snapshot was built; entries behind it can go.
    pub snapshot_built: Notify,
}

impl Progress {
    pub fn applied_index(&self) -> Option<u64> {
        self.applied.load(Ordering::Acquire).checked_sub(1)
    }

    fn set(&self, last: Option<LogId>) {
        self.applied.store(last.map_or(0, |last| last.index + 1), Ordering::Release);
    }
}

pub(crate) struct Applier<S: StateMachine> {
    machine: Arc<S>,
    proposer: Arc<Proposer<S::Outcome>>,
    snapshots: Arc<SnapshotStore>,
    lease: Arc<Lease>,
    progress: Arc<Progress>,
    policy: Arc<Mutex<SnapshotPolicy>>,
    last_applied: Option<LogId>,
    membership: StoredMembership,
    staging: Option<Staging>,
    entries_since_snapshot: u64,
    bytes_since_snapshot: u64,
}

/// Commands of consecutive entries that are applied, and published, at once.
#[derive(Default)]
struct Run {
    commands: Vec<Bytes>,
    /// Who proposed how many of them.
    tickets: Vec<(Ticket, usize)>,
    /// The last of the entries.
    last: Option<LogId>,
}

impl<S: StateMachine> Applier<S> {
    /// Starts from the snapshot in force, if there is one.
    pub async fn open(
        machine: Arc<S>,
        proposer: Arc<Proposer<S::Outcome>>,
        snapshots: Arc<SnapshotStore>,
        lease: Arc<Lease>,
        progress: Arc<Progress>,
        policy: Arc<Mutex<SnapshotPolicy>>,
    ) -> Result<Self, OpenError> {
        let mut applier = Self {
            machine,
            proposer,
            snapshots,
            lease,
            progress,
            policy,
            last_applied: None,
            membership: StoredMembership::default(),
            staging: None,
            entries_since_snapshot: 0,
            bytes_since_snapshot: 0,
        };
        if let Some(Snapshot { meta, snapshot }) = applier.snapshots.current() {
            if let Err(source) = applier.replace_state(*snapshot, RestoreMode::Recover).await {
                return Err(OpenError::Snapshot { path: applier.snapshots.path().await, source });
            }
            applier.reached(&meta);
        }
        Ok(applier)
    }

    fn reached(&mut self, meta: &SnapshotMeta) {
        self.last_applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.staging = None;
        self.entries_since_snapshot = 0;
        self.bytes_since_snapshot = 0;
        self.progress.set(self.last_applied);
    }

    /// Parses all of a snapshot, then switches to it.
    async fn replace_state(&self, body: SnapshotBody, mode: RestoreMode) -> Result<(), SnapshotError> {
        let machine = self.machine.clone();
        let restored = self.snapshots.parse(body, move |input| machine.parse(input)).await?;
        self.machine.install(restored, mode);
        Ok(())
    }

    async fn apply_normal(
        &mut self,
        log_id: LogId,
        payload: &Payload,
        run: &mut Run,
    ) -> Result<(), StorageError> {
        self.bytes_since_snapshot += payload.len() as u64;
        let malformed = |error| StorageIOError::apply(log_id, AnyError::new(&error));
        let ticket = payload.ticket();
        match payload.decode().map_err(malformed)? {
            Body::Commands(commands) => {
                run.tickets.extend(ticket.map(|ticket| (ticket, commands.len())));
                run.commands.extend(commands);
                run.last = Some(log_id);
            }
            Body::Restore { id, step } => {
                self.finish_run(run);
                let effective = self.restore_step(log_id, id, step).await?;
                self.lease.on_applied(log_id.index, &log_id.leader_id);
                if let Some(Waiters::Entry(reply)) = ticket.and_then(|ticket| self.proposer.applied(ticket)) {
                    let _ = reply.send(Ok(effective));
                }
            }
        }
        Ok(())
    }

    /// Applies what was gathered and answers who waits for it.
    fn finish_run(&self, run: &mut Run) {
        let mut outcomes = match run.commands.is_empty() {
            true => Vec::new(),
            false => self.machine.apply(&run.commands),
        }
        .into_iter();
        run.commands.clear();
        // Before the answers: whoever gets one may read here at once.
        if let Some(last) = run.last.take() {
            self.lease.on_applied(last.index, &last.leader_id);
        }
        for (ticket, count) in run.tickets.drain(..) {
            let outcomes: Vec<_> = outcomes.by_ref().take(count).collect();
            debug_assert_eq!(outcomes.len(), count, "one outcome for each command");
            match self.proposer.applied(ticket) {
                Some(Waiters::Commands(waiters)) => {
                    waiters.into_iter().zip(outcomes).for_each(|(waiter, outcome)| waiter.answer(outcome));
                }
                Some(Waiters::Entry(reply)) => {
                    let _ = reply.send(Ok(true));
                }
                None => {}
            }
        }
    }

    async fn restore_step(
        &mut self,
        log_id: LogId,
        id: RestoreId,
        step: RestoreStep,
    ) -> Result<bool, StorageError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            StorageIOError::apply(log_id, AnyError::error(error.to_string()))
        };
        let active = self.staging.as_ref().is_some_and(|staging| staging.id == id);
        match step {
            RestoreStep::Begin => {
                let before = (self.describe(), self.machine.snapshot());
                let spool = self.snapshots.spool().map_err(|error| failed(&error))?;
                self.staging = Some(Staging::new(id, log_id.leader_id, spool, before));
                Ok(true)
            }
            RestoreStep::Chunk(piece) => {
                let Some(staging) = self.staging.as_mut().filter(|_| active) else { return Ok(false) };
                staging.push(&piece).map_err(|error| failed(&error))?;
                Ok(true)
            }
            RestoreStep::Abort => {
                self.staging.take_if(|_| active);
                Ok(active)
            }
            RestoreStep::Commit { length, sha256 } => {
                let Some(staging) = self.staging.take_if(|_| active) else { return Ok(false) };
                let Some(body) = staging.finish(length, &sha256) else { return Ok(false) };
                // The leader parsed the very same bytes before it proposed them. A server that
                // cannot must stop here: going on, it would differ from the others.
                self.replace_state(body, RestoreMode::Supersede).await.map_err(|error| failed(&error))?;
                info!(index = log_id.index, "state replaced by a restored snapshot");
                // The pieces are long; a snapshot lets them go.
                self.progress.snapshot_due.notify_one();
                Ok(true)
            }
        }
    }

    async fn put_in_force(&self, meta: &SnapshotMeta, body: SnapshotBody) -> Result<(), StorageError> {
        self.replace_state(body.clone(), RestoreMode::Recover)
            .await
            .map_err(|error| io_failed(ErrorVerb::Read, &error))?;
        self.snapshots.adopt(meta.clone(), body).await.map_err(|error| io_failed(ErrorVerb::Write, &error))
    }

    fn describe(&self) -> SnapshotMeta {
        describe(self.last_applied, self.membership.clone())
    }

    fn end_foreign_restore(&mut self, leader: &LeaderId) {
        self.staging.take_if(|staging| staging.leader != *leader);
    }
}

impl<S: StateMachine> RaftStateMachine<TypeConfig> for Applier<S> {
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), StorageError> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut run = Run::default();
        let mut count = 0;
        let mut last = None;
        for entry in entries {
            let Entry { log_id, payload } = entry;
            self.end_foreign_restore(&log_id.leader_id);
            match payload {
                EntryPayload::Blank => {}
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(log_id), membership);
                }
                EntryPayload::Normal(payload) => self.apply_normal(log_id, &payload, &mut run).await?,
            }
            self.last_applied = Some(log_id);
            last = Some(log_id);
            count += 1;
        }
        self.finish_run(&mut run);
        self.progress.set(self.last_applied);
        if let Some(log_id) = last {
            self.lease.on_applied(log_id.index, &log_id.leader_id);
        }
        self.entries_since_snapshot += count;
        let policy = *self.policy.lock();
        let due = self.entries_since_snapshot >= policy.entries || self.bytes_since_snapshot >= policy.bytes;
        if due && self.staging.is_none() {
            // Counted anew at once, so that the next entries do not ask again while it is built.
            self.entries_since_snapshot = 0;
            self.bytes_since_snapshot = 0;
            self.progress.snapshot_due.notify_one();
        }
        Ok(vec![(); count as usize])
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (meta, source) = match &self.staging {
            Some(staging) => staging.before.clone(),
            None => (self.describe(), self.machine.snapshot()),
        };
        SnapshotBuilder { meta, source, snapshots: self.snapshots.clone(), progress: self.progress.clone() }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<SnapshotBody>, StorageError> {
        // Snapshots are received beside openraft (see `rpc`), which only installs them.
        Err(io_failed(ErrorVerb::Write, &"snapshots are not received through openraft"))
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: Box<SnapshotBody>,
    ) -> Result<(), StorageError> {
        let installed = self.put_in_force(meta, *snapshot).await;
        match &installed {
            Ok(()) => self.reached(meta),
            Err(_) => self.snapshots.give_up(),
        }
        installed
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, StorageError> {
        Ok(self.snapshots.current())
    }
}

/// Writes one held version out.
pub(crate) struct SnapshotBuilder {
    meta: SnapshotMeta,
    source: Arc<dyn SnapshotSource>,
    snapshots: Arc<SnapshotStore>,
    progress: Arc<Progress>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    async fn build_snapshot(&mut self) -> Result<Snapshot, StorageError> {
        let current = self.snapshots.current();
        let covered = current.as_ref().and_then(|current| current.meta.last_log_id);
        if covered >= self.meta.last_log_id {
            return Ok(current.unwrap_or_else(|| self.nothing()));
        }
        match self.snapshots.build(self.meta.clone(), self.source.clone()).await {
            Ok(snapshot) => {
                self.progress.snapshot_built.notify_one();
                Ok(snapshot)
            }
            // The older snapshot and a longer log are as good; the next one may succeed. An error
            // here would stop openraft.
            Err(error) => {
                error!(%error, "could not write a raft snapshot");
                Ok(current.unwrap_or_else(|| self.nothing()))
            }
        }
    }
}

impl SnapshotBuilder {
    /// A snapshot of nothing, which openraft takes for older than any.
    fn nothing(&self) -> Snapshot {
        Snapshot {
            meta: SnapshotMeta::default(),
            snapshot: Box::new(SnapshotBody::Held(self.source.clone())),
        }
    }
}

fn io_failed(verb: ErrorVerb, error: &dyn std::fmt::Display) -> StorageError {
    StorageIOError::new(ErrorSubject::Snapshot(None), verb, AnyError::error(error.to_string())).into()
}
