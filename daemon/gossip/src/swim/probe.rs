//! The failure detector: pings one member after the other, directly, through others and over a stream.

use std::net::SocketAddr;
use std::sync::Arc;

use super::output::StreamId;
use super::streams::Purpose;
use super::timers::Timer;
use super::{DropReason, Swim};
use crate::delegate::Delegate;
use crate::node::{Node, NodeState};
use crate::time::Time;
use crate::wire::compound;
use crate::wire::message::{self, Accusation, Ack, AddrBytes, IndirectPing, Message, Nack, Ping};

/// Members of at least this version answer pings over streams.
const STREAM_PING_SINCE: u8 = 3;

/// Members of at least this version tell when an indirect ping came to nothing.
const NACK_SINCE: u8 = 4;

/// Most pings on behalf of others at one time.
const RELAYS_MAX: usize = 4096;

/// A probe under way. There is never more than one.
#[derive(Debug)]
pub(super) struct Probe {
    pub seq: u32,
    pub target: Arc<Node>,
    sent: Time,
    deadline: Time,
    /// Whether others were asked: an answer says nothing about distance any more.
    indirect: bool,
    nacks_expected: u32,
    nacks: u32,
    pub stream: Option<StreamId>,
    /// Whether the stream was answered.
    pub stream_answered: bool,
}

/// A ping for somebody else.
#[derive(Debug)]
pub(super) struct Relay {
    requester: SocketAddr,
    requester_seq: u32,
    nack: bool,
}

impl Swim {
    fn next_seq(&mut self) -> u32 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }

    /// Begins a probe, unless one is still running.
    pub(super) fn probe_due(&mut self, now: Time) {
        self.timers.arm(now + self.config.probe_interval, Timer::Probe);
        if self.probe.is_some() {
            return;
        }
        if let Some(target) = self.next_target(now) {
            self.start_probe(now, target);
        }
    }

    fn next_target(&mut self, now: Time) -> Option<Arc<Node>> {
        // One round more than there are records: the list may be shuffled on the way.
        for _ in 0..=self.table.len() {
            let Some(record) = self.table.at(self.probe_at) else {
                self.probe_at = 0;
                self.reap(now);
                self.table.shuffle(&mut self.rng);
                continue;
            };
            self.probe_at += 1;
            if record.state.is_member() && record.node.name != self.config.name {
                return Some(Arc::clone(&record.node));
            }
        }
        None
    }

    fn start_probe(&mut self, now: Time, target: Arc<Node>) {
        let Some(record) = self.table.get(&target.name) else { return };
        let (state, incarnation) = (record.state, record.incarnation);
        let seq = self.next_seq();
        let deadline = now + self.config.probe_interval.saturating_mul(self.awareness + 1);
        self.counters.probes += 1;
        let ping = self.ping(seq, &target.name);
        if state == NodeState::Alive {
            self.send_later(target.addr, ping);
        } else {
            // The first that the suspected hears should be that it is: then it can contradict in time.
            let from = &*self.config.name;
            let suspect = Accusation { incarnation, node: (&*target.name).into(), from: from.into() };
            let both = compound::join(&[ping, Message::Suspect(suspect).encode()]);
            self.send_bare(target.addr, target.versions.max, both);
        }
        self.timers.arm(now + self.config.probe_timeout, Timer::ProbeTimeout(seq));
        self.timers.arm(deadline, Timer::ProbeDeadline(seq));
        self.probe = Some(Probe {
            seq,
            target,
            sent: now,
            deadline,
            indirect: false,
            nacks_expected: 0,
            nacks: 0,
            stream: None,
            stream_answered: false,
        });
    }

    pub(super) fn ping(&self, seq: u32, node: &str) -> Vec<u8> {
        let addr = AddrBytes::new(self.local.addr.ip());
        Message::Ping(Ping {
            seq_no: seq,
            node: node.into(),
            source_addr: addr.raw(),
            source_port: self.local.addr.port(),
            source_node: (&*self.config.name).into(),
        })
        .encode()
    }

    /// The direct ping was not answered in time: others are asked, and a stream is tried.
    pub(super) fn probe_timed_out(&mut self, now: Time, seq: u32) {
        let Some(probe) = self.probe.as_ref().filter(|probe| probe.seq == seq) else { return };
        let target = Arc::clone(&probe.target);
        let deadline = probe.deadline;
        let own = Arc::clone(&self.config.name);
        let helpers = self.table.sample(self.config.indirect_checks, &mut self.rng, |record| {
            record.state == NodeState::Alive && record.node.name != own && record.node.name != target.name
        });
        let mut nacks_expected = 0;
        for helper in helpers {
            let nack = helper.versions.max >= NACK_SINCE;
            nacks_expected += u32::from(nack);
            let request = self.indirect_ping(seq, &target, nack);
            self.send_later(helper.addr, request);
        }
        let try_stream = self.config.stream_ping && target.versions.max >= STREAM_PING_SINCE;
        let purpose = Purpose::Ping { seq, node: Arc::clone(&target.name) };
        let stream = try_stream.then(|| self.open_stream(now, target.addr, purpose, deadline.since(now)));
        if let Some(probe) = &mut self.probe {
            probe.indirect = true;
            probe.nacks_expected = nacks_expected;
            probe.stream = stream;
        }
    }

    fn indirect_ping(&self, seq: u32, target: &Node, nack: bool) -> Vec<u8> {
        let target_addr = AddrBytes::new(target.addr.ip());
        let source = AddrBytes::new(self.local.addr.ip());
        Message::IndirectPing(IndirectPing {
            seq_no: seq,
            target: target_addr.raw(),
            port: target.addr.port(),
            node: (&*target.name).into(),
            nack,
            source_addr: source.raw(),
            source_port: self.local.addr.port(),
            source_node: (&*self.config.name).into(),
        })
        .encode()
    }

    /// The time of a probe is over.
    pub(super) fn probe_over(&mut self, now: Time, seq: u32) {
        let Some(probe) = self.probe.take_if(|probe| probe.seq == seq) else { return };
        if probe.stream_answered {
            // It lives, and packets do not pass: that is for the operator, not for the pool.
            self.counters.stream_only_answers += 1;
            return self.adjust_awareness(-1);
        }
        self.counters.probes_failed += 1;
        // Helpers that do not even send a nack are a hint that the fault is on this side.
        let blame = match probe.nacks_expected {
            0 => 1,
            expected => expected.saturating_sub(probe.nacks),
        };
        self.adjust_awareness(blame as i32);
        let Some(record) = self.table.get(&probe.target.name) else { return };
        let incarnation = record.incarnation;
        let own = Arc::clone(&self.config.name);
        self.suspect(now, &probe.target.name, incarnation, &own);
    }

    /// A packet could not even be sent. If it was the ping of the running probe, nothing is learned from it.
    pub(crate) fn ping_not_sent(&mut self, to: SocketAddr) {
        self.probe.take_if(|probe| !probe.indirect && probe.target.addr == to);
    }

    pub(super) fn on_ack(&mut self, now: Time, delegate: &mut dyn Delegate, from: SocketAddr, ack: &Ack<'_>) {
        if let Some(probe) = self.probe.take_if(|probe| probe.seq == ack.seq_no) {
            self.adjust_awareness(-1);
            if let Some(stream) = probe.stream {
                self.abort(stream);
            }
            if !probe.indirect {
                delegate.ping_completed(now, &probe.target, now.since(probe.sent), ack.payload.0);
            }
            return;
        }
        match self.relays.remove(&ack.seq_no) {
            Some(relay) => {
                let answer = Ack { seq_no: relay.requester_seq, payload: Default::default() };
                self.send_later(relay.requester, Message::Ack(answer).encode());
            }
            None => self.drop_from(from, DropReason::Unexpected),
        }
    }

    pub(super) fn on_nack(&mut self, from: SocketAddr, nack: Nack) {
        match self.probe.as_mut().filter(|probe| probe.seq == nack.seq_no && probe.indirect) {
            Some(probe) if probe.nacks < probe.nacks_expected => probe.nacks += 1,
            _ => self.drop_from(from, DropReason::Unexpected),
        }
    }

    pub(super) fn on_ping(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        from: SocketAddr,
        ping: &Ping<'_>,
    ) {
        if !ping.node.is_empty() && *ping.node != *self.config.name {
            return self.drop_from(from, DropReason::NotForUs);
        }
        let payload = delegate.ack_payload();
        let ack = Ack { seq_no: ping.seq_no, payload: crate::wire::Raw(&payload) };
        let to = answer_to(ping.source_addr, ping.source_port, from);
        self.send_later(to, Message::Ack(ack).encode());
        self.heard_from(now, &ping.source_node, to);
    }

    /// Pings somebody for a member that got no answer.
    pub(super) fn on_indirect_ping(&mut self, now: Time, from: SocketAddr, request: &IndirectPing<'_>) {
        let Some(ip) = message::ip_from(request.target) else {
            return self.drop_from(from, DropReason::Malformed);
        };
        if self.relays.len() >= RELAYS_MAX {
            return self.drop_from(from, DropReason::Full);
        }
        let port = if request.port == 0 { self.local.addr.port() } else { request.port };
        let seq = self.next_seq();
        let relay = Relay {
            requester: answer_to(request.source_addr, request.source_port, from),
            requester_seq: request.seq_no,
            nack: request.nack,
        };
        self.relays.insert(seq, relay);
        self.timers.arm(now + self.config.probe_timeout, Timer::Relay(seq));
        let ping = self.ping(seq, &request.node);
        self.send_later(SocketAddr::new(ip, port), ping);
    }

    pub(super) fn relay_timed_out(&mut self, seq: u32) {
        let Some(relay) = self.relays.remove(&seq) else { return };
        if relay.nack {
            let nack = Message::Nack(Nack { seq_no: relay.requester_seq });
            self.send_later(relay.requester, nack.encode());
        }
    }

    pub(super) fn adjust_awareness(&mut self, delta: i32) {
        let highest = self.config.awareness_max.saturating_sub(1);
        self.awareness = self.awareness.saturating_add_signed(delta).min(highest);
    }
}

/// Where an answer goes: where the request says, or else where it came from.
fn answer_to(addr: crate::wire::Raw<'_>, port: u16, from: SocketAddr) -> SocketAddr {
    match message::ip_from(addr) {
        Some(ip) if port > 0 => SocketAddr::new(ip, port),
        _ => from,
    }
}
