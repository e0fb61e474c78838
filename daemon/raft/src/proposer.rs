//! Gathers commands into log entries and answers whoever proposed them.
//!
//! A command that arrives while no append is in flight is sent at once, alone; those that arrive
//! during an append ride together in the next entry, which is sent the moment the append is on
//! disk. There is no task and no timer: the caller, or openraft's core at the end of an append,
//! hands the next entry over.
//!
//! Every proposal is answered exactly once: by its outcome when its entry is applied here, or by an
//! error when the entry is lost or its fate can no longer be learnt.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::FutureExt;
use openraft::raft::ClientWriteResult;
use parking_lot::Mutex;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::config::Limits;
use crate::error::ProposeError;
use crate::lease::Lease;
use crate::log::FlushObserver;
use crate::payload::{Payload, RestoreId, RestoreStep, Ticket};
use crate::types::{OpenRaft, TypeConfig};

/// Entries sent to openraft whose outcome is open. Without a quorum they pile up to this, then
/// further commands wait in the queue, which is bounded in bytes.
const IN_FLIGHT: usize = 64;

/// What a queued command costs beside its bytes.
const OVERHEAD: usize = 128;

type Reply<T> = oneshot::Sender<Result<T, ProposeError>>;
type Verdict = oneshot::Receiver<ClientWriteResult<TypeConfig>>;

pub(crate) struct Proposer<O> {
    raft: OnceLock<OpenRaft>,
    origin: u64,
    limits: Limits,
    lease: Arc<Lease>,
    room: Arc<Semaphore>,
    state: Mutex<State<O>>,
    /// Asks the monitor to look after entries that may have been lost.
    pub doubt: Notify,
}

struct State<O> {
    queue: VecDeque<Queued<O>>,
    /// The entry that openraft has not written yet.
    appending: Option<u64>,
    in_flight: BTreeMap<u64, InFlight<O>>,
    /// Applied entries whose verdict openraft has not given yet.
    answered: Vec<Verdict>,
    next_ticket: u64,
    /// Leadership is being handed over: what arrives waits for its end.
    held: bool,
    closed: bool,
}

struct Queued<O> {
    command: Bytes,
    reply: Reply<O>,
    _room: OwnedSemaphorePermit,
}

struct InFlight<O> {
    waiters: Waiters<O>,
    verdict: Option<Verdict>,
    /// It was in our log. Even if it is removed from there, another server may have it and make it last.
    written: bool,
}

/// Who waits for an entry.
pub(crate) enum Waiters<O> {
    Commands(Vec<Waiter<O>>),
    /// A restore's step, or a barrier: whether the entry took effect.
    Entry(Reply<bool>),
}

/// Who waits for a command, and the room its bytes take until then.
pub(crate) struct Waiter<O> {
    reply: Reply<O>,
    _room: OwnedSemaphorePermit,
}

impl<O> Waiter<O> {
    pub fn answer(self, outcome: O) {
        // The proposer may have gone away.
        let _ = self.reply.send(Ok(outcome));
    }
}

impl<O> Waiters<O> {
    fn fail(self, error: &ProposeError) {
        match self {
            Self::Commands(waiters) => waiters.into_iter().for_each(|waiter| {
                let _ = waiter.reply.send(Err(error.clone()));
            }),
            Self::Entry(reply) => {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

impl<O: Send + 'static> Proposer<O> {
    pub fn new(limits: Limits, lease: Arc<Lease>) -> Self {
        Self {
            raft: OnceLock::new(),
            origin: rand::random(),
            limits,
            lease,
            room: Arc::new(Semaphore::new(limits.queue_bytes)),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                appending: None,
                in_flight: BTreeMap::new(),
                answered: Vec::new(),
                next_ticket: 0,
                held: false,
                closed: false,
            }),
            doubt: Notify::new(),
        }
    }

    /// Names the core that entries go to. The first call counts.
    pub fn attach(&self, raft: OpenRaft) {
        let _ = self.raft.set(raft);
    }

    /// Waits until the command is applied here. `not_leader` says what to answer elsewhere.
    pub async fn propose(
        &self,
        command: Bytes,
        not_leader: impl Fn() -> ProposeError,
    ) -> Result<O, ProposeError> {
        let size = command.len();
        let limit = self.limits.command_bytes;
        if size > limit {
            return Err(ProposeError::TooLarge { size, limit });
        }
        if !self.lease.may_propose() {
            return Err(not_leader());
        }
        // Fits: the queue's size was checked to fit.
        let cost = (size + OVERHEAD).min(self.limits.queue_bytes) as u32;
        let room = self.room.clone().acquire_many_owned(cost).await.map_err(|_| ProposeError::Shutdown)?;
        let (reply, outcome) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.closed {
                return Err(ProposeError::Shutdown);
            }
            if !self.lease.is_leader() {
                return Err(not_leader());
            }
            state.queue.push_back(Queued { command, reply, _room: room });
            self.send_next(&mut state);
        }
        outcome.await.unwrap_or(Err(ProposeError::Shutdown))
    }

    /// Proposes one step of a restore; whether it took effect.
    pub async fn restore_step(&self, id: RestoreId, step: &RestoreStep) -> Result<bool, ProposeError> {
        self.propose_entry(|ticket| Payload::restore(ticket, id, step)).await
    }

    /// Waits until all entries before it, and itself, are applied here.
    pub async fn barrier(&self) -> Result<(), ProposeError> {
        self.propose_entry(|ticket| Payload::commands(ticket, std::iter::empty())).await.map(drop)
    }

    async fn propose_entry(&self, payload: impl FnOnce(Ticket) -> Payload) -> Result<bool, ProposeError> {
        let (reply, outcome) = oneshot::channel();
        {
            let mut state = self.state.lock();
            if state.closed {
                return Err(ProposeError::Shutdown);
            }
            let ticket = self.ticket(&mut state);
            self.send(&mut state, ticket, payload(ticket), Waiters::Entry(reply));
        }
        outcome.await.unwrap_or(Err(ProposeError::Shutdown))
    }

    /// Takes who waits for an entry that is being applied; nobody, if another process proposed it.
    pub fn applied(&self, ticket: Ticket) -> Option<Waiters<O>> {
        if ticket.origin != self.origin {
            return None;
        }
        let mut state = self.state.lock();
        let InFlight { waiters, verdict, .. } = state.in_flight.remove(&ticket.number)?;
        state.answered.retain_mut(|verdict| matches!(verdict.try_recv(), Err(TryRecvError::Empty)));
        state.answered.extend(verdict);
        self.send_next(&mut state);
        Some(waiters)
    }

    /// Answers entries that openraft gave up. Whether some are still open.
    pub fn sweep(&self, not_leader: impl Fn() -> ProposeError) -> bool {
        let mut lost = Vec::new();
        let mut state = self.state.lock();
        let verdicts: Vec<(u64, ProposeError)> = state
            .in_flight
            .iter_mut()
            .filter_map(|(number, entry)| match entry.verdict.as_mut()?.try_recv() {
                // Applied: its waiters are about to be taken.
                Ok(Ok(_)) | Err(TryRecvError::Empty) => None,
                Ok(Err(_)) if entry.written => Some((*number, ProposeError::LeadershipLost)),
                // Never appended: the leader, if there is one, may take it.
                Ok(Err(_)) => Some((*number, not_leader())),
                Err(TryRecvError::Closed) => Some((*number, ProposeError::Shutdown)),
            })
            .collect();
        for (number, error) in verdicts {
            lost.extend(state.in_flight.remove(&number).map(|entry| (entry.waiters, error)));
            state.appending.take_if(|appending| *appending == number);
        }
        if self.lease.is_leader() {
            self.send_next(&mut state);
        } else {
            lost.push((take_queue(&mut state.queue), not_leader()));
        }
        let open = !state.in_flight.is_empty();
        drop(state);
        lost.into_iter().for_each(|(waiters, error)| waiters.fail(&error));
        open
    }

    /// Answers everybody who waits: with `error` for entries, which may still be committed later, and with `queued`
    /// for commands that are in no entry yet.
    pub fn give_up(&self, error: &ProposeError, queued: &ProposeError) {
        let mut state = self.state.lock();
        let mut waiting = Vec::new();
        for entry in state.in_flight.values_mut() {
            waiting.push(std::mem::replace(&mut entry.waiters, Waiters::Commands(Vec::new())));
        }
        let queue = take_queue(&mut state.queue);
        drop(state);
        queue.fail(queued);
        waiting.into_iter().for_each(|waiters| waiters.fail(error));
    }

    /// Sends no further entries until released; commands wait.
    pub fn hold(&self) {
        self.state.lock().held = true;
    }

    pub fn release(&self) {
        let mut state = self.state.lock();
        state.held = false;
        self.send_next(&mut state);
    }

    /// Refuses everything from now on.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
        self.give_up(&ProposeError::Shutdown, &ProposeError::Shutdown);
    }

    pub fn has_open_entries(&self) -> bool {
        !self.state.lock().in_flight.is_empty()
    }

    fn ticket(&self, state: &mut State<O>) -> Ticket {
        state.next_ticket += 1;
        Ticket { origin: self.origin, number: state.next_ticket }
    }

    fn send_next(&self, state: &mut State<O>) {
        if state.held || state.appending.is_some() || state.in_flight.len() >= IN_FLIGHT {
            return;
        }
        let batch = self.next_batch(&mut state.queue);
        if batch.is_empty() {
            return;
        }
        let ticket = self.ticket(state);
        let payload = Payload::commands(ticket, batch.iter().map(|queued| &queued.command));
        let waiters = batch.into_iter().map(|queued| Waiter { reply: queued.reply, _room: queued._room });
        self.send(state, ticket, payload, Waiters::Commands(waiters.collect()));
    }

    fn next_batch(&self, queue: &mut VecDeque<Queued<O>>) -> Vec<Queued<O>> {
        let mut batch: Vec<Queued<O>> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.front() {
            // Whoever gave up before anything happened need not be served.
            if next.reply.is_closed() {
                queue.pop_front();
                continue;
            }
            bytes += next.command.len();
            let full = bytes > self.limits.entry_bytes || batch.len() >= self.limits.entry_commands;
            if full && !batch.is_empty() {
                break;
            }
            batch.extend(queue.pop_front());
        }
        batch
    }

    /// Hands an entry to openraft. Never waits: its queue has no bound, `IN_FLIGHT` is the bound.
    fn send(&self, state: &mut State<O>, ticket: Ticket, payload: Payload, waiters: Waiters<O>) {
        let sent = self.raft.get().and_then(|raft| raft.client_write_ff(payload).now_or_never());
        let Some(Ok(verdict)) = sent else {
            return waiters.fail(&ProposeError::Shutdown);
        };
        state.in_flight.insert(ticket.number, InFlight { waiters, verdict: Some(verdict), written: false });
        state.appending = Some(ticket.number);
        if !self.lease.is_leader() {
            self.doubt.notify_one();
        }
    }
}

fn take_queue<O>(queue: &mut VecDeque<Queued<O>>) -> Waiters<O> {
    let waiter = |queued: Queued<O>| Waiter { reply: queued.reply, _room: queued._room };
    Waiters::Commands(queue.drain(..).map(waiter).collect())
}

impl<O: Send + 'static> FlushObserver for Proposer<O> {
    fn flushed(&self, ticket: Ticket) {
        if ticket.origin != self.origin {
            return;
        }
        let mut state = self.state.lock();
        if let Some(entry) = state.in_flight.get_mut(&ticket.number) {
            entry.written = true;
        }
        if state.appending == Some(ticket.number) {
            state.appending = None;
            self.send_next(&mut state);
        }
    }
}
