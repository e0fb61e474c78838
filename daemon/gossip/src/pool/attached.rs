//! Connects the pure layers with the tasks that wait for them.
//!
//! Lives with the member in its owner task. After every input it carries what the layers left for their owner to
//! whoever waits. Nothing here waits, and nothing here grows without bound.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::events::EventSender;
use crate::delegate::{Delegate, Refusal};
use crate::node::{Node, Seen};
use crate::queue::Budget;
use crate::serf::{Clocks, Member, Notice, Operation, OperationResult, QueryId, QueryReply, Serf};
use crate::swim::Swim;
use crate::time::Time;

/// What the owner task tells everybody.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub members: watch::Receiver<Arc<[Member]>>,
    pub clocks: watch::Receiver<Clocks>,
    pub has_left: watch::Receiver<bool>,
}

/// A [`Serf`] with the ends of channels to those who wait.
#[derive(Debug)]
pub(super) struct Attached {
    pub serf: Serf,
    events: EventSender,
    members: watch::Sender<Arc<[Member]>>,
    clocks: watch::Sender<Clocks>,
    has_left: watch::Sender<bool>,
    /// Replies to one query are as few as the layer below lets through, so the channel needs no bound of its own.
    queries: HashMap<QueryId, mpsc::UnboundedSender<QueryReply>>,
    operations: HashMap<Operation, oneshot::Sender<OperationResult>>,
}

impl Attached {
    pub fn new(serf: Serf, events: EventSender) -> (Self, Published) {
        let (members, members_out) = watch::channel(serf.members().cloned().collect());
        let (clocks, clocks_out) = watch::channel(serf.clocks());
        let (has_left, has_left_out) = watch::channel(false);
        let attached = Self {
            serf,
            events,
            members,
            clocks,
            has_left,
            queries: HashMap::new(),
            operations: HashMap::new(),
        };
        (attached, Published { members: members_out, clocks: clocks_out, has_left: has_left_out })
    }

    /// Where replies to a query are to go from now on.
    pub fn listen(&mut self, id: QueryId) -> mpsc::UnboundedReceiver<QueryReply> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.queries.insert(id, sender);
        receiver
    }

    /// Tells when an operation is over.
    pub fn watch(&mut self, operation: Operation) -> oneshot::Receiver<OperationResult> {
        let (sender, receiver) = oneshot::channel();
        self.operations.insert(operation, sender);
        receiver
    }

    fn carry(&mut self) {
        // Members first: who hears of a member's joining may look it up.
        if self.serf.take_members_changed() {
            self.members.send_replace(self.serf.members().cloned().collect());
        }
        while let Some(event) = self.serf.pop_event() {
            self.events.send(event);
        }
        while let Some(notice) = self.serf.pop_notice() {
            self.tell(notice);
        }
        let clocks = self.serf.clocks();
        self.clocks.send_if_modified(|known| std::mem::replace(known, clocks) != clocks);
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Reply(id, reply) => {
                let Some(listener) = self.queries.get(&id) else { return };
                if listener.send(reply).is_err() {
                    self.queries.remove(&id);
                    self.serf.cancel_query(id);
                }
            }
            Notice::QueryOver(id) => {
                self.queries.remove(&id);
            }
            Notice::Done(operation, result) => {
                if let Some(waiting) = self.operations.remove(&operation) {
                    // Whoever waited may have given up.
                    let _ = waiting.send(result);
                }
            }
            Notice::HasLeft => {
                self.has_left.send_replace(true);
            }
        }
    }
}

impl Delegate for Attached {
    fn user_message(&mut self, now: Time, from: SocketAddr, message: &[u8]) {
        self.serf.user_message(now, from, message);
    }

    fn broadcasts(&mut self, now: Time, budget: &Budget) -> Vec<Bytes> {
        self.serf.broadcasts(now, budget)
    }

    fn local_state(&mut self, now: Time, join: bool) -> Vec<u8> {
        self.serf.local_state(now, join)
    }

    fn merge_state(&mut self, now: Time, state: &[u8], join: bool) {
        self.serf.merge_state(now, state, join);
    }

    fn joined(&mut self, now: Time, node: &Node) {
        self.serf.joined(now, node);
    }

    fn updated(&mut self, now: Time, node: &Node) {
        self.serf.updated(now, node);
    }

    fn left(&mut self, now: Time, node: &Node) {
        self.serf.left(now, node);
    }

    fn failed(&mut self, now: Time, node: &Node) {
        self.serf.failed(now, node);
    }

    fn accept(&mut self, node: &Node) -> Result<(), Refusal> {
        self.serf.accept(node)
    }

    fn accept_merge(&mut self, nodes: &[Seen]) -> Result<(), Refusal> {
        self.serf.accept_merge(nodes)
    }

    fn conflict(&mut self, existing: &Node, other: &Node) {
        self.serf.conflict(existing, other);
    }

    fn ack_payload(&mut self) -> Vec<u8> {
        self.serf.ack_payload()
    }

    fn ping_completed(&mut self, now: Time, node: &Node, rtt: Duration, payload: &[u8]) {
        self.serf.ping_completed(now, node, rtt, payload);
    }

    fn poll(&mut self, now: Time, swim: &mut Swim) -> Option<Time> {
        let next = self.serf.poll(now, swim);
        self.carry();
        next
    }
}
