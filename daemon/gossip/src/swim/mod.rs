//! The membership protocol: SWIM with the Lifeguard extensions, as a state machine.
//!
//! Kept apart from sockets and clocks because every bug to fear here is one of order: an answer that comes late, a
//! refutation that races a timeout. Order can be tested only while time and delivery are arguments.

mod config;
mod counters;
mod output;
#[allow(dead_code)] // armed with the failure detector
mod timers;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use indexmap::IndexMap;
use rand::rngs::StdRng;

pub use config::Config;
pub use counters::{Counters, DropReason};
pub use output::{JoinError, JoinId, Output, StreamId};
use timers::Timers;

use crate::delegate::Delegate;
use crate::keyring::Keyring;
use crate::node::{META_MAX, Node, NodeState, Seen};
use crate::queue::{BroadcastQueue, retransmit_limit};
use crate::time::Time;

/// The description of the own node is longer than others would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node meta data provided is longer than the limit of {META_MAX} bytes")]
pub struct MetaTooLong;

/// No member of this name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown node")]
pub struct UnknownNode;

/// What is known of one member.
#[derive(Debug)]
struct Record {
    node: Arc<Node>,
    incarnation: u32,
    state: NodeState,
    changed: Time,
}

/// Something the layer above is to be told.
#[derive(Debug)]
enum Notice {
    Joined(Arc<Node>),
    Updated(Arc<Node>),
    Left(Arc<Node>),
}

/// A message of the layer above that goes straight to one member.
#[derive(Debug)]
#[allow(dead_code)] // read by the sending side
struct Direct {
    to: SocketAddr,
    message: Bytes,
}

/// The membership protocol of one node.
#[derive(Debug)]
#[allow(dead_code)] // read by the failure detector
pub struct Swim {
    config: Config,
    keyring: Option<Keyring>,
    rng: StdRng,
    /// In the order in which they are probed.
    table: IndexMap<Arc<str>, Record>,
    leaving: bool,
    /// 0: healthy. Higher: the fault may be on this side, so others get more time.
    awareness: u32,
    queue: BroadcastQueue,
    timers: Timers,
    next_stream: u64,
    next_join: u64,
    outputs: VecDeque<Output>,
    notices: VecDeque<Notice>,
    direct: VecDeque<Direct>,
    counters: Counters,
}

impl Swim {
    /// A node alone in its pool. The generator must be unpredictable where there is a keyring: nonces come from it.
    pub fn new(now: Time, config: Config, keyring: Option<Keyring>, rng: StdRng) -> Self {
        let queue = BroadcastQueue::new(config.queue_max);
        let node = Arc::new(Node {
            name: Arc::clone(&config.name),
            addr: config.addr,
            meta: config.meta.clone(),
            versions: config.versions,
        });
        let mut swim = Self {
            config,
            keyring,
            rng,
            table: IndexMap::new(),
            leaving: false,
            awareness: 0,
            queue,
            timers: Timers::default(),
            next_stream: 0,
            next_join: 0,
            outputs: VecDeque::new(),
            notices: VecDeque::new(),
            direct: VecDeque::new(),
            counters: Counters::default(),
        };
        swim.notices.push_back(Notice::Joined(Arc::clone(&node)));
        let record =
            Record { node: Arc::clone(&node), incarnation: 1, state: NodeState::Alive, changed: now };
        swim.table.insert(Arc::clone(&node.name), record);
        swim
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Keys of the pool; none: nothing is encrypted.
    pub fn keyring(&self) -> Option<&Keyring> {
        self.keyring.as_ref()
    }

    /// Keys of the pool, to install, use or remove one. What is sent from now on follows.
    pub fn keyring_mut(&mut self) -> Option<&mut Keyring> {
        self.keyring.as_mut()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How much this node doubts itself: 0 is healthy, the most is one less than [`Config::awareness_max`].
    pub fn health_score(&self) -> u32 {
        self.awareness
    }

    /// What is known of a member, the own node included.
    pub fn seen(&self, name: &str) -> Option<Seen> {
        self.table.get(name).map(Record::seen)
    }

    /// All that is known, the dead included, in no order.
    pub fn all_seen(&self) -> impl Iterator<Item = Seen> {
        self.table.values().map(Record::seen)
    }

    /// Number of nodes known, the own and the dead included: what limits of retransmission are computed from.
    pub fn known_count(&self) -> usize {
        self.table.len()
    }

    /// Number of members alive or suspect, the own node included.
    pub fn member_count(&self) -> usize {
        self.table.values().filter(|record| record.state.is_member()).count()
    }

    /// How often a message is sent in a pool of the present size.
    pub fn retransmit_limit(&self) -> u32 {
        retransmit_limit(self.config.retransmit_mult, self.known_count())
    }

    /// Whether [`Swim::leave`] was called.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Exchanges members with whoever is at `addr`; the result follows as [`Output::JoinDone`].
    pub fn join(&mut self, addr: SocketAddr) -> JoinId {
        let join = JoinId(self.next_join);
        self.next_join += 1;
        if self.leaving {
            self.outputs.push_back(Output::JoinDone { join, result: Err(JoinError::Leaving) });
            return join;
        }
        let stream = StreamId(self.next_stream);
        self.next_stream += 1;
        self.outputs.push_back(Output::Connect { stream, to: addr, timeout: self.config.stream_timeout });
        join
    }

    /// Tells everybody that this node goes, and accepts no contradiction. [`Output::LeaveDone`] follows when it was
    /// told; pings are answered until the member is dropped.
    pub fn leave(&mut self, now: Time) {
        if std::mem::replace(&mut self.leaving, true) {
            return;
        }
        let name = Arc::clone(&self.config.name);
        if let Some(record) = self.table.get_mut(&name) {
            record.state = NodeState::Left;
            record.changed = now;
            self.notices.push_back(Notice::Left(Arc::clone(&record.node)));
        }
        self.outputs.push_back(Output::LeaveDone);
    }

    /// Changes what the own node says of itself, and spreads it.
    pub fn set_meta(&mut self, meta: Bytes) -> Result<(), MetaTooLong> {
        if meta.len() > META_MAX {
            return Err(MetaTooLong);
        }
        let name = Arc::clone(&self.config.name);
        if let Some(record) = self.table.get_mut(&name) {
            let node = Arc::new(Node { meta, ..Node::clone(&record.node) });
            record.node = Arc::clone(&node);
            record.incarnation += 1;
            self.notices.push_back(Notice::Updated(node));
        }
        Ok(())
    }

    /// Sends a message of the layer above to one address, in a packet: unreliable, and `message` must fit into it.
    pub fn send_user(&mut self, to: SocketAddr, message: Bytes) {
        self.direct.push_back(Direct { to, message });
    }

    /// [`Swim::send_user`] to a member.
    pub fn send_user_to(&mut self, name: &str, message: Bytes) -> Result<(), UnknownNode> {
        let to = self.table.get(name).ok_or(UnknownNode)?.node.addr;
        self.send_user(to, message);
        Ok(())
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.timers.next_deadline()
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Tells the layer above what happened, in the order in which it did.
    pub(crate) fn notify(&mut self, now: Time, delegate: &mut dyn Delegate) {
        while let Some(notice) = self.notices.pop_front() {
            match notice {
                Notice::Joined(node) => delegate.joined(now, &node),
                Notice::Updated(node) => delegate.updated(now, &node),
                Notice::Left(node) => delegate.left(now, &node),
            }
        }
    }

    pub(crate) fn tick(&mut self, now: Time, delegate: &mut dyn Delegate) {
        while let Some((_, _timer)) = self.timers.pop_due(now) {}
        self.notify(now, delegate);
    }
}

impl Record {
    fn seen(&self) -> Seen {
        Seen {
            node: Arc::clone(&self.node),
            state: self.state,
            incarnation: self.incarnation,
            changed: self.changed,
        }
    }
}
