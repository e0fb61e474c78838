//! The seam to the membership protocol.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::member::{Member, MemberStatus};
use super::roster::Departure;
use super::{Serf, message};
use crate::delegate::{Delegate, Refusal};
use crate::node::{Node, Seen};
use crate::queue::Budget;
use crate::swim::Swim;
use crate::time::Time;

/// Most messages for one packet; old peers misread a packet of more than 127.
const MESSAGES_MAX: usize = 127;

impl Delegate for Serf {
    fn user_message(&mut self, now: Time, from: SocketAddr, message: &[u8]) {
        self.deliver(now, from, message);
    }

    /// Intents first, since others wait for them; then queries, whose senders wait; then events.
    fn broadcasts(&mut self, _now: Time, budget: &Budget) -> Vec<Bytes> {
        let mut messages: Vec<Bytes> = Vec::new();
        let mut room = *budget;
        for queue in [&mut self.intents, &mut self.queries, &mut self.user_events] {
            if queue.is_empty() {
                continue;
            }
            let taken = queue.take(&room, MESSAGES_MAX.saturating_sub(messages.len()));
            let used: usize = taken.iter().map(|message| message.len() + room.overhead).sum();
            room.bytes = room.bytes.saturating_sub(used);
            messages.extend(taken);
        }
        messages
    }

    fn local_state(&mut self, _now: Time, _join: bool) -> Vec<u8> {
        self.own_state()
    }

    fn merge_state(&mut self, now: Time, state: &[u8], join: bool) {
        self.merge(now, state, join);
    }

    fn joined(&mut self, _now: Time, node: &Node) {
        let event = self.roster.joined(node);
        self.report_all(vec![event]);
    }

    fn updated(&mut self, _now: Time, node: &Node) {
        let event = self.roster.updated(node);
        self.report_all(event.into_iter().collect());
    }

    fn left(&mut self, now: Time, node: &Node) {
        let event = self.roster.departed(now, node, Departure::Left);
        self.report_all(event.into_iter().collect());
    }

    fn failed(&mut self, now: Time, node: &Node) {
        let event = self.roster.departed(now, node, Departure::Failed);
        self.report_all(event.into_iter().collect());
    }

    fn accept(&mut self, node: &Node) -> Result<(), Refusal> {
        self.admit(&Member::new(node, MemberStatus::Alive)).map_err(Refusal)
    }

    fn accept_merge(&mut self, nodes: &[Seen]) -> Result<(), Refusal> {
        let Some(admission) = &self.hooks.admission else { return Ok(()) };
        let members: Vec<Member> = nodes.iter().map(Member::of_peer).collect();
        admission.admit_all(&members).map_err(Refusal)?;
        let mut alive = members.iter().filter(|member| member.status == MemberStatus::Alive);
        alive.try_for_each(|member| self.admit(member)).map_err(Refusal)
    }

    fn conflict(&mut self, existing: &Node, other: &Node) {
        self.note_conflict(existing, other);
    }

    fn ack_payload(&mut self) -> Vec<u8> {
        if !self.config.coordinates {
            return Vec::new();
        }
        message::encode_ping_payload(self.coordinate()).unwrap_or_default()
    }

    fn ping_completed(&mut self, _now: Time, node: &Node, rtt: Duration, payload: &[u8]) {
        self.learn_distance(&node.name, rtt, payload);
    }

    fn poll(&mut self, now: Time, swim: &mut Swim) -> Option<Time> {
        self.do_what_is_due(now, swim)
    }
}

impl Serf {
    fn admit(&self, member: &Member) -> Result<(), String> {
        let Some(admission) = &self.hooks.admission else { return Ok(()) };
        let is_other = |other: &&Member| other.status == MemberStatus::Alive && other.name != member.name;
        admission.admit_beside(member, &mut self.roster.members().filter(is_other))
    }
}
