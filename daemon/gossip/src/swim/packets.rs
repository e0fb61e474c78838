//! Packets: what comes in is unpacked and dispatched, what goes out takes along what is to be spread.

use std::net::SocketAddr;

use bytes::Bytes;
use rand::RngCore;

use super::state::Claim;
use super::timers::Timer;
use super::{DropReason, Output, Swim};
use crate::delegate::Delegate;
use crate::node::NodeState;
use crate::queue::Budget;
use crate::time::Time;
use crate::wire::message::Message;
use crate::wire::packet::{self, CHECKSUM_OVERHEAD, Finish};
use crate::wire::seal::{self, NONCE_LEN};
use crate::wire::{compound, kind};

/// Members of at least this version read checksums.
const CHECKSUM_SINCE: u8 = 5;

/// Most packets that wait for being finished: an input causes a handful, unless it is made to cause many.
const UNSENT_MAX: usize = 4096;

/// A message on its way into a packet.
#[derive(Debug)]
pub(super) struct Unsent {
    to: SocketAddr,
    message: Vec<u8>,
    /// Whether it takes along what is to be spread.
    piggyback: bool,
    checksum: bool,
}

impl Swim {
    /// Sends a message with whatever else fits, once the input at hand is processed.
    pub(super) fn send_later(&mut self, to: SocketAddr, message: Vec<u8>) {
        self.enqueue(Unsent { to, message, piggyback: true, checksum: false });
    }

    /// Sends a message alone to a member that speaks `version`.
    pub(super) fn send_bare(&mut self, to: SocketAddr, version: u8, message: Vec<u8>) {
        self.enqueue(Unsent { to, message, piggyback: false, checksum: version >= CHECKSUM_SINCE });
    }

    fn enqueue(&mut self, unsent: Unsent) {
        if self.unsent.len() < UNSENT_MAX {
            self.unsent.push_back(unsent);
        }
    }

    /// Finishes what waits to be sent.
    pub(crate) fn flush(&mut self, now: Time, delegate: &mut dyn Delegate) {
        while let Some(Unsent { to, message, piggyback, checksum }) = self.unsent.pop_front() {
            if !piggyback {
                self.send_packet(to, message, checksum);
                continue;
            }
            let used = message.len() + compound::OVERHEAD + compound::PART_OVERHEAD + self.seal_overhead();
            let room = self.config.packet_max.saturating_sub(used);
            let mut parts = vec![Bytes::from(message)];
            parts.extend(self.broadcasts(now, delegate, room, compound::PARTS_MAX - 1));
            self.send_parts(to, &parts, false);
        }
        self.check_left();
    }

    /// Messages to spread that fit into `room`.
    fn broadcasts(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        room: usize,
        count_max: usize,
    ) -> Vec<Bytes> {
        let retransmit_limit = self.retransmit_limit();
        let overhead = compound::PART_OVERHEAD;
        let budget = Budget { overhead, bytes: room, retransmit_limit };
        let mut parts = self.queue.take(&budget, count_max);
        let cost: usize = parts.iter().map(|part| part.len() + overhead).sum();
        let mut left = room.saturating_sub(cost);
        let overhead = overhead + 1;
        if left <= overhead || parts.len() >= count_max {
            return parts;
        }
        for message in delegate.broadcasts(now, &Budget { overhead, bytes: left, retransmit_limit }) {
            let Some(rest) = left.checked_sub(message.len() + overhead) else { continue };
            if parts.len() >= count_max {
                break;
            }
            left = rest;
            parts.push([&[kind::USER], &*message].concat().into());
        }
        parts
    }

    fn send_parts(&mut self, to: SocketAddr, parts: &[Bytes], checksum: bool) {
        match parts {
            [] => {}
            [single] => self.send_packet(to, single.to_vec(), checksum),
            several => self.send_packet(to, compound::join(several), checksum),
        }
    }

    fn send_packet(&mut self, to: SocketAddr, message: Vec<u8>, checksum: bool) {
        let nonce = self.nonce();
        let key = self.keyring.as_ref().filter(|_| self.config.verify_outgoing).map(|ring| ring.primary());
        let how = Finish {
            compression: self.config.compression,
            checksum,
            encryption: key.map(|key| (key, nonce)),
        };
        let bytes = Bytes::from(packet::finish(message, how));
        self.counters.packets_out += 1;
        self.counters.bytes_out += bytes.len() as u64;
        self.outputs.push_back(Output::Packet { to, bytes });
    }

    pub(super) fn nonce(&mut self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        if self.keyring.is_some() {
            self.rng.fill_bytes(&mut nonce);
        }
        nonce
    }

    fn seal_overhead(&self) -> usize {
        let sealed = self.keyring.is_some() && self.config.verify_outgoing;
        if sealed { seal::OVERHEAD } else { 0 }
    }

    /// A round of gossip: what is to be spread goes to a few members.
    pub(super) fn gossip_due(&mut self, now: Time, delegate: &mut dyn Delegate) {
        self.timers.arm(now + self.config.gossip_interval, Timer::Gossip);
        let own = self.config.name.clone();
        let to_the_dead = self.config.gossip_to_the_dead;
        let peers = self.table.sample(self.config.gossip_nodes, &mut self.rng, |record| {
            record.node.name != own
                && match record.state {
                    NodeState::Alive | NodeState::Suspect => true,
                    NodeState::Dead => now.since(record.changed) <= to_the_dead,
                    NodeState::Left => false,
                }
        });
        let used = compound::OVERHEAD + CHECKSUM_OVERHEAD + self.seal_overhead();
        let room = self.config.packet_max.saturating_sub(used);
        for peer in peers {
            let parts = self.broadcasts(now, delegate, room, compound::PARTS_MAX);
            if parts.is_empty() {
                return;
            }
            self.send_parts(peer.addr, &parts, peer.versions.max >= CHECKSUM_SINCE);
        }
    }

    pub(crate) fn packet(&mut self, now: Time, delegate: &mut dyn Delegate, from: SocketAddr, bytes: &[u8]) {
        self.counters.packets_in += 1;
        self.counters.bytes_in += bytes.len() as u64;
        match packet::open(bytes, self.keyring.as_ref(), self.config.verify_incoming) {
            Ok(plain) => packet::unpack(&plain, &mut |message| match message {
                Ok(message) => self.message(now, delegate, from, &message),
                Err(reason) => self.drop_from(from, reason),
            }),
            Err(reason) => self.drop_from(from, reason),
        }
    }

    fn message(&mut self, now: Time, delegate: &mut dyn Delegate, from: SocketAddr, message: &Message<'_>) {
        match message {
            Message::Ping(ping) => self.on_ping(now, delegate, from, ping),
            Message::IndirectPing(request) => self.on_indirect_ping(now, from, request),
            Message::Ack(ack) => self.on_ack(now, delegate, from, ack),
            Message::Nack(nack) => self.on_nack(from, *nack),
            Message::Suspect(said) => self.suspect(now, &said.node, said.incarnation, &said.from),
            Message::Dead(said) => self.dead(now, &said.node, said.incarnation, &said.from),
            Message::Alive(said) => {
                match Claim::new(&said.node, said.addr, said.port, said.meta, said.vsn, said.incarnation) {
                    Some(claim) => self.alive(now, delegate, &claim),
                    None => self.drop_from(from, DropReason::BadMember),
                }
            }
            Message::User(bytes) => {
                // What came before in the same packet may be what this is about.
                self.notify(now, delegate);
                delegate.user_message(now, from, bytes);
            }
        }
    }

    pub(super) fn drop_from(&mut self, from: SocketAddr, reason: DropReason) {
        self.counters.count_drop(from, reason);
    }
}
