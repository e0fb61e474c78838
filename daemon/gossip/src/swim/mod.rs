//! The membership protocol: SWIM with the Lifeguard extensions, as a state machine.
//!
//! Kept apart from sockets and clocks because every bug to fear here is one of order: an answer that comes late, a
//! refutation that races a timeout. Order can be tested only while time and delivery are arguments.

mod config;
mod counters;
mod evidence;
mod output;
mod packets;
mod probe;
mod state;
mod streams;
mod suspicion;
mod sync;
mod table;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;

pub use config::Config;
pub use counters::{Counters, DropReason};
pub use output::{JoinError, JoinId, Output, StreamId};

use crate::delegate::Delegate;
use crate::keyring::Keyring;
use crate::node::{META_MAX, Node, NodeState, Seen};
use crate::queue::{Broadcast, BroadcastQueue, retransmit_limit};
use crate::time::Time;
use crate::wire::message::{Accusation, Message};
use evidence::Evidence;
use packets::Unsent;
use probe::{Probe, Relay};
use streams::{Purpose, Stream};
use table::{Record, Table};
use timers::{Timer, Timers};

/// The description of the own node is longer than others would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node meta data provided is longer than the limit of {META_MAX} bytes")]
pub struct MetaTooLong;

/// No member of this name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown node")]
pub struct UnknownNode;

/// Something the layer above is to be told.
#[derive(Debug)]
enum Notice {
    Joined(Arc<Node>),
    Updated(Arc<Node>),
    Left(Arc<Node>),
    Failed(Arc<Node>),
}

/// The membership protocol of one node.
#[derive(Debug)]
pub struct Swim {
    config: Config,
    keyring: Option<Keyring>,
    rng: StdRng,

    local: Arc<Node>,
    incarnation: u32,
    leaving: bool,
    /// The announcement of leaving, while it is being spread.
    farewell: Option<Broadcast>,

    table: Table,
    evidence: Evidence,
    queue: BroadcastQueue,
    timers: Timers,

    /// 0: healthy. Higher: the fault may be on this side, so others get more time.
    awareness: u32,
    probe: Option<Probe>,
    /// Index in the table of whom to probe next.
    probe_at: usize,
    relays: HashMap<u32, Relay>,
    /// Number of the last ping.
    seq: u32,
    next_suspicion: u64,

    streams: HashMap<StreamId, Stream>,
    inbound_streams: usize,
    next_stream: u64,
    next_join: u64,

    unsent: VecDeque<Unsent>,
    outputs: VecDeque<Output>,
    notices: VecDeque<Notice>,
    counters: Counters,
}

impl Swim {
    /// A node alone in its pool. The generator must be unpredictable where there is a keyring: nonces come from it.
    pub fn new(now: Time, config: Config, keyring: Option<Keyring>, mut rng: StdRng) -> Self {
        let local = Arc::new(Node {
            name: Arc::clone(&config.name),
            addr: config.addr,
            meta: config.meta.clone(),
            versions: config.versions,
        });
        let seq = rng.random::<u32>() >> 1;
        let mut swim = Self {
            keyring,
            rng,
            local: Arc::clone(&local),
            incarnation: 1,
            leaving: false,
            farewell: None,
            table: Table::default(),
            evidence: Evidence::default(),
            queue: BroadcastQueue::new(config.queue_max),
            timers: Timers::default(),
            awareness: 0,
            probe: None,
            probe_at: 0,
            relays: HashMap::new(),
            seq,
            next_suspicion: 0,
            streams: HashMap::new(),
            inbound_streams: 0,
            next_stream: 0,
            next_join: 0,
            unsent: VecDeque::new(),
            outputs: VecDeque::new(),
            notices: VecDeque::new(),
            counters: Counters::default(),
            config,
        };
        let record = Record {
            node: Arc::clone(&local),
            incarnation: 1,
            state: NodeState::Alive,
            changed: now,
            suspicion: None,
        };
        swim.table.insert(record, &mut swim.rng);
        swim.notices.push_back(Notice::Joined(local));
        swim.announce_self();
        swim.arm_periodic(now);
        swim
    }

    /// At random points of the intervals, so that members started together do not act together.
    fn arm_periodic(&mut self, now: Time) {
        let intervals = [
            (Timer::Probe, self.config.probe_interval),
            (Timer::Gossip, self.config.gossip_interval),
            (Timer::PushPull, self.config.push_pull_interval),
        ];
        for (timer, interval) in intervals {
            let first = interval.mul_f64(self.rng.random_range(0.0..1.0));
            self.timers.arm(now + first, timer);
        }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The own node as it describes itself now.
    pub fn local(&self) -> &Arc<Node> {
        &self.local
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
        self.table.iter().map(Record::seen)
    }

    /// Number of nodes known, the own and the dead included: what limits of retransmission are computed from.
    pub fn known_count(&self) -> usize {
        self.table.len()
    }

    /// Number of members alive or suspect, the own node included until it leaves.
    pub fn member_count(&self) -> usize {
        self.table.members()
    }

    /// How often a message is sent in a pool of the present size.
    pub fn retransmit_limit(&self) -> u32 {
        retransmit_limit(self.config.retransmit_mult, self.known_count())
    }

    /// Number of own messages waiting to be spread.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Whether [`Swim::leave`] was called.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether [`Swim::leave`] was called and the farewell went out as often as it is to.
    pub fn has_left(&self) -> bool {
        self.leaving && self.farewell.is_none_or(|farewell| !self.queue.contains(farewell))
    }

    /// Exchanges members with whoever is at `addr`; the result follows as [`Output::JoinDone`].
    pub fn join(&mut self, now: Time, addr: SocketAddr) -> JoinId {
        let join = JoinId(self.next_join);
        self.next_join += 1;
        if self.leaving {
            self.outputs.push_back(Output::JoinDone { join, result: Err(JoinError::Leaving) });
        } else {
            self.start_join(now, addr, join);
        }
        join
    }

    /// Tells everybody that this node goes, and accepts no contradiction. [`Output::LeaveDone`] follows when it was
    /// told; pings are answered until the member is dropped.
    pub fn leave(&mut self, now: Time) {
        if std::mem::replace(&mut self.leaving, true) {
            return;
        }
        let name = Arc::clone(&self.config.name);
        self.table.set_state(now, &name, NodeState::Left);
        self.notices.push_back(Notice::Left(Arc::clone(&self.local)));
        if self.table.members() == 0 {
            self.outputs.push_back(Output::LeaveDone);
            return;
        }
        let farewell =
            Accusation { incarnation: self.incarnation, node: (&*name).into(), from: (&*name).into() };
        let message = Message::Dead(farewell).encode().into();
        self.farewell = Some(self.queue.push(Some(name), message));
    }

    /// Reports the end of [`Swim::leave`] once the farewell went out as often as it is to.
    fn check_left(&mut self) {
        if let Some(farewell) = self.farewell
            && !self.queue.contains(farewell)
        {
            self.farewell = None;
            self.outputs.push_back(Output::LeaveDone);
        }
    }

    /// Changes what the own node says of itself, and spreads it.
    pub fn set_meta(&mut self, meta: Bytes) -> Result<(), MetaTooLong> {
        if meta.len() > META_MAX {
            return Err(MetaTooLong);
        }
        if meta == self.local.meta || self.leaving {
            return Ok(());
        }
        self.local = Arc::new(Node { meta, ..Node::clone(&self.local) });
        self.incarnation = self.incarnation.saturating_add(1).min(u32::MAX - 1);
        self.notices.push_back(Notice::Updated(Arc::clone(&self.local)));
        self.announce_self();
        Ok(())
    }

    /// Sends a message of the layer above to one address, in a packet: unreliable, and `message` must fit into it.
    pub fn send_user(&mut self, to: SocketAddr, message: Bytes) {
        self.send_later(to, Message::User(&message).encode());
    }

    /// [`Swim::send_user`] to a member.
    pub fn send_user_to(&mut self, name: &str, message: Bytes) -> Result<(), UnknownNode> {
        let to = self.table.get(name).ok_or(UnknownNode)?.node.addr;
        self.send_user(to, message);
        Ok(())
    }

    /// Sends a message of the layer above to one address by a stream of its own. Whether it arrives is not told.
    pub fn send_user_stream(&mut self, now: Time, to: SocketAddr, message: Bytes) {
        let timeout = self.config.stream_timeout;
        self.open_stream(now, to, Purpose::User { message }, timeout);
    }

    /// Takes members as alive without announcing them: for simulations that begin with a converged pool. Those known
    /// stay as they are.
    #[doc(hidden)]
    pub fn assume(&mut self, now: Time, nodes: &[Arc<Node>]) {
        self.table.reserve(nodes.len());
        for node in nodes {
            if self.table.get(&node.name).is_none() {
                let node = Arc::clone(node);
                let record =
                    Record { node, incarnation: 1, state: NodeState::Alive, changed: now, suspicion: None };
                self.table.insert(record, &mut self.rng);
            }
        }
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
                Notice::Failed(node) => delegate.failed(now, &node),
            }
        }
    }

    pub(crate) fn tick(&mut self, now: Time, delegate: &mut dyn Delegate) {
        self.notice_pause(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Probe => self.probe_due(now),
                Timer::Gossip => self.gossip_due(now, delegate),
                Timer::PushPull => self.exchange_due(now),
                Timer::ProbeTimeout(seq) => self.probe_timed_out(now, seq),
                Timer::ProbeDeadline(seq) => self.probe_over(now, seq),
                Timer::Relay(seq) => self.relay_timed_out(seq),
                Timer::Suspicion(name, number) => self.suspicion_over(now, &name, number),
                Timer::Stream(stream) => self.stream_timed_out(stream),
            }
        }
    }

    /// A tick that comes much too late means that this process stood still. Answers may lie unread, so nothing that
    /// ran out meanwhile is held against anybody.
    fn notice_pause(&mut self, now: Time) {
        let Some(late) = self.timers.next_deadline().map(|due| now.since(due)) else { return };
        let tolerated = self.config.probe_interval.max(Duration::from_millis(500));
        if late <= tolerated {
            return;
        }
        self.counters.pauses += 1;
        self.timers.delay_all(late);
        for record in self.table.iter_mut() {
            if let Some(suspicion) = &mut record.suspicion {
                suspicion.delay(late);
            }
        }
    }
}
