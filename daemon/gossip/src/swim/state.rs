//! The rules by which what is said of a member changes what is thought of it.
//!
//! Incarnations order statements: of two about one incarnation the worse holds, and only the member itself can raise
//! it. What is stored of an incarnation never goes back, not even for a member that is gone.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::evidence::Verdict;
use super::suspicion::Suspicion;
use super::table::Record;
use super::timers::Timer;
use super::{DropReason, Notice, Swim};
use crate::delegate::Delegate;
use crate::node::{META_MAX, NAME_MAX, Node, NodeState, Versions};
use crate::time::Time;
use crate::wire::message::{Accusation, AddrBytes, Alive, Message};
use crate::wire::{Raw, message};

/// An announcement, checked for form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub name: &'a str,
    pub addr: SocketAddr,
    pub meta: &'a [u8],
    pub versions: Versions,
    pub incarnation: u32,
}

impl<'a> Claim<'a> {
    pub fn new(
        name: &'a str,
        addr: Raw<'_>,
        port: u16,
        meta: Raw<'a>,
        vsn: Raw<'_>,
        incarnation: u32,
    ) -> Option<Self> {
        let versions = Versions::from_bytes(*vsn.0.first_chunk::<6>()?);
        let valid = versions.is_valid()
            && !name.is_empty()
            && name.len() <= NAME_MAX
            && meta.0.len() <= META_MAX
            && port > 0
            // The last incarnation could never be refuted.
            && incarnation < u32::MAX;
        let addr = SocketAddr::new(message::ip_from(addr)?, port);
        valid.then_some(Self { name, addr, meta: meta.0, versions, incarnation })
    }

    fn node(&self) -> Arc<Node> {
        Arc::new(Node {
            name: self.name.into(),
            addr: self.addr,
            meta: Bytes::copy_from_slice(self.meta),
            versions: self.versions,
        })
    }

    fn describes(&self, node: &Node) -> bool {
        self.addr == node.addr && self.meta == node.meta && self.versions == node.versions
    }
}

impl Swim {
    /// Somebody announces a member.
    pub(super) fn alive(&mut self, now: Time, delegate: &mut dyn Delegate, claim: &Claim<'_>) {
        if claim.name == &*self.config.name {
            return self.alive_self(delegate, claim);
        }
        let Some(record) = self.table.get(claim.name) else {
            return self.alive_unknown(now, delegate, claim);
        };
        let moved = record.node.addr != claim.addr;
        if moved && !self.may_move(now, record) {
            let existing = Arc::clone(&record.node);
            return delegate.conflict(&existing, &claim.node());
        }
        if !moved && claim.incarnation <= record.incarnation {
            return self.stale_alive(now, claim);
        }
        if moved && !self.is_allowed(claim.addr) {
            return self.drop_from(claim.addr, DropReason::Refused);
        }
        // Who only shows a new incarnation was asked about before.
        let same = claim.describes(&record.node);
        let node = if same { Arc::clone(&record.node) } else { claim.node() };
        if !same && delegate.accept(&node).is_err() {
            return self.drop_from(claim.addr, DropReason::Refused);
        }
        self.revive(now, node, claim.incarnation);
    }

    fn alive_unknown(&mut self, now: Time, delegate: &mut dyn Delegate, claim: &Claim<'_>) {
        if !self.is_allowed(claim.addr) {
            return self.drop_from(claim.addr, DropReason::Refused);
        }
        if self.table.len() >= self.config.members_max {
            return self.drop_from(claim.addr, DropReason::Full);
        }
        let verdict = self.evidence.get(claim.name).filter(|held| held.incarnation >= claim.incarnation);
        if verdict.is_some_and(|held| held.state != NodeState::Suspect) {
            return self.stale_alive(now, claim);
        }
        let node = claim.node();
        if delegate.accept(&node).is_err() {
            return self.drop_from(claim.addr, DropReason::Refused);
        }
        self.evidence.forget(claim.name);
        let record = Record {
            node: Arc::clone(&node),
            incarnation: 0,
            state: NodeState::Dead,
            changed: now,
            suspicion: None,
        };
        self.table.insert(record, &mut self.rng);
        self.revive(now, node, claim.incarnation);
        if let Some(held) = verdict {
            let from = Arc::clone(&self.config.name);
            self.suspect(now, claim.name, held.incarnation, &from);
        }
    }

    /// Somebody says of us what we may never have said, or not in this life.
    fn alive_self(&mut self, delegate: &mut dyn Delegate, claim: &Claim<'_>) {
        if self.leaving || claim.incarnation < self.incarnation {
            return;
        }
        let node = Arc::clone(&self.local);
        if claim.addr != node.addr {
            delegate.conflict(&node, &claim.node());
            return;
        }
        if claim.incarnation > self.incarnation || !claim.describes(&node) {
            self.refute(claim.incarnation);
        }
    }

    /// Whether the name of a member may go to another address.
    fn may_move(&self, now: Time, record: &Record) -> bool {
        match record.state {
            NodeState::Left => true,
            NodeState::Dead => now.since(record.changed) > self.config.dead_reclaim,
            NodeState::Alive | NodeState::Suspect => false,
        }
    }

    pub(super) fn is_allowed(&self, addr: SocketAddr) -> bool {
        let Some(networks) = &self.config.allowed_networks else { return true };
        networks.iter().any(|network| network.contains(&addr.ip()))
    }

    /// Old news of a member that is accused since: if it lives, it should hear of the accusation and contradict.
    fn stale_alive(&mut self, now: Time, claim: &Claim<'_>) {
        let Some(verdict) = self.verdict(claim.name).filter(|verdict| verdict.state != NodeState::Alive)
        else {
            return;
        };
        if self.evidence.may_repeat(now, self.config.probe_interval, claim.name) {
            let accusation = self.accusation(claim.name, verdict);
            self.send_bare(claim.addr, claim.versions.max, accusation);
        }
    }

    /// A member that counts as dead pings from `to`: a link was down, and only one side has noticed, or it was noticed
    /// on both and that side is over it. Told of the accusation it contradicts at once, instead of in the next exchange
    /// of states.
    pub(super) fn heard_from(&mut self, now: Time, name: &str, to: SocketAddr) {
        let Some(verdict) = self.verdict(name).filter(|verdict| verdict.state == NodeState::Dead) else {
            return;
        };
        if self.evidence.may_repeat(now, self.config.probe_interval, name) {
            let accusation = self.accusation(name, verdict);
            self.send_later(to, accusation);
        }
    }

    fn verdict(&self, name: &str) -> Option<Verdict> {
        match self.table.get(name) {
            Some(record) => Some(Verdict { incarnation: record.incarnation, state: record.state }),
            None => self.evidence.get(name),
        }
    }

    /// Takes a member as alive.
    fn revive(&mut self, now: Time, node: Arc<Node>, incarnation: u32) {
        let Some(record) = self.table.get_mut(&node.name) else { return };
        let was_member = record.state.is_member();
        let changed = record.node.meta != node.meta;
        record.suspicion = None;
        record.incarnation = record.incarnation.max(incarnation);
        record.node = Arc::clone(&node);
        let incarnation = record.incarnation;
        self.table.set_state(now, &node.name, NodeState::Alive);
        let announcement = announcement(&node, incarnation);
        self.queue.push(Some(Arc::clone(&node.name)), announcement.into());
        if !was_member {
            self.notices.push_back(Notice::Joined(node));
        } else if changed {
            self.notices.push_back(Notice::Updated(node));
        }
    }

    /// Somebody did not reach a member.
    pub(super) fn suspect(&mut self, now: Time, name: &str, incarnation: u32, from: &str) {
        if incarnation == u32::MAX {
            return;
        }
        let Some(record) = self.table.get_mut(name) else {
            let verdict = Verdict { incarnation, state: NodeState::Suspect };
            return self.keep_verdict(now, name, verdict);
        };
        if incarnation < record.incarnation {
            return;
        }
        if *name == *self.config.name {
            if !self.leaving {
                self.refute(incarnation);
            }
            return;
        }
        record.incarnation = incarnation;
        let node = Arc::clone(&record.node);
        match (record.state, &mut record.suspicion) {
            (NodeState::Suspect, Some(suspicion)) => {
                if !suspicion.confirm(from) {
                    return;
                }
                self.timers.arm(suspicion.ends(), Timer::Suspicion(Arc::clone(&node.name), suspicion.number));
            }
            (NodeState::Alive, _) => self.begin_suspicion(now, &node.name, from),
            _ => return,
        }
        let message = Message::Suspect(Accusation { incarnation, node: name.into(), from: from.into() });
        self.queue.push(Some(Arc::clone(&node.name)), message.encode().into());
    }

    fn begin_suspicion(&mut self, now: Time, name: &Arc<str>, from: &str) {
        let number = self.next_suspicion;
        self.next_suspicion += 1;
        let suspicion = Suspicion::new(number, now, from.into(), self.table.len(), &self.config);
        self.timers.arm(suspicion.ends(), Timer::Suspicion(Arc::clone(name), number));
        self.table.set_state(now, name, NodeState::Suspect);
        if let Some(record) = self.table.get_mut(name) {
            record.suspicion = Some(Box::new(suspicion));
        }
    }

    /// A suspicion may have run out.
    pub(super) fn suspicion_over(&mut self, now: Time, name: &str, number: u64) {
        let Some(record) = self.table.get(name) else { return };
        let over = |held: &Suspicion| held.number == number && held.ends() <= now;
        if !record.suspicion.as_deref().is_some_and(over) {
            return;
        }
        self.counters.suspicions_expired += 1;
        let incarnation = record.incarnation;
        let from = Arc::clone(&self.config.name);
        self.dead(now, name, incarnation, &from);
    }

    /// Somebody says that a member is dead, or the member itself that it leaves.
    pub(super) fn dead(&mut self, now: Time, name: &str, incarnation: u32, from: &str) {
        if incarnation == u32::MAX {
            return;
        }
        let state = if name == from { NodeState::Left } else { NodeState::Dead };
        let Some(record) = self.table.get_mut(name) else {
            return self.keep_verdict(now, name, Verdict { incarnation, state });
        };
        if incarnation < record.incarnation {
            return;
        }
        if *name == *self.config.name {
            if !self.leaving {
                self.refute(incarnation);
            }
            return;
        }
        let was_member = record.state.is_member();
        // Nothing new of who is gone, except that even this incarnation is.
        if !was_member && incarnation == record.incarnation {
            return;
        }
        record.suspicion = None;
        record.incarnation = incarnation;
        let node = Arc::clone(&record.node);
        let message = Message::Dead(Accusation { incarnation, node: name.into(), from: from.into() });
        self.queue.push(Some(Arc::clone(&node.name)), message.encode().into());
        if !was_member {
            return;
        }
        self.table.set_state(now, name, state);
        self.notices.push_back(match state {
            NodeState::Left => Notice::Left(node),
            _ => Notice::Failed(node),
        });
    }

    fn keep_verdict(&mut self, now: Time, name: &str, verdict: Verdict) {
        if !name.is_empty() && name.len() <= NAME_MAX {
            self.evidence.keep(now, self.config.tombstone, name, verdict);
        }
    }

    /// Contradicts what was said of the own node, by an incarnation above that of the accusation.
    fn refute(&mut self, accused: u32) {
        self.incarnation = self.incarnation.max(accused).saturating_add(1).min(u32::MAX - 1);
        self.counters.refutations += 1;
        self.adjust_awareness(1);
        self.announce_self();
    }

    /// Spreads what the own node says of itself.
    pub(super) fn announce_self(&mut self) {
        let name = Arc::clone(&self.local.name);
        if let Some(record) = self.table.get_mut(&name) {
            record.incarnation = self.incarnation;
            record.node = Arc::clone(&self.local);
        }
        let announcement = announcement(&self.local, self.incarnation);
        self.queue.push(Some(name), announcement.into());
    }

    pub(super) fn accusation(&self, name: &str, verdict: Verdict) -> Vec<u8> {
        let from = if verdict.state == NodeState::Left { name } else { &*self.config.name };
        let accusation =
            Accusation { incarnation: verdict.incarnation, node: name.into(), from: from.into() };
        match verdict.state {
            NodeState::Suspect => Message::Suspect(accusation).encode(),
            _ => Message::Dead(accusation).encode(),
        }
    }

    /// Forgets who is gone for long, but not that it is gone.
    pub(super) fn reap(&mut self, now: Time) {
        let keep = self.config.gossip_to_the_dead;
        let gone = |record: &Record| !record.state.is_member() && now.since(record.changed) > keep;
        let own = Arc::clone(&self.config.name);
        for record in self.table.extract(|record| gone(record) && record.node.name != own) {
            let verdict = Verdict { incarnation: record.incarnation, state: record.state };
            self.evidence.keep(now, self.config.tombstone, &record.node.name, verdict);
        }
        self.evidence.expire(now);
        self.evidence.expire_repeated(now, self.config.probe_interval);
    }
}

fn announcement(node: &Node, incarnation: u32) -> Vec<u8> {
    let addr = AddrBytes::new(node.addr.ip());
    let versions = node.versions.to_bytes();
    Message::Alive(Alive {
        incarnation,
        node: (&*node.name).into(),
        addr: addr.raw(),
        port: node.addr.port(),
        meta: Raw(&node.meta),
        vsn: Raw(&versions),
    })
    .encode()
}
