//! Full exchanges: two members tell each other all they know, so that nobody depends on gossip alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::state::Claim;
use super::streams::Purpose;
use super::timers::Timer;
use super::{DropReason, Swim};
use crate::delegate::Delegate;
use crate::node::{Node, NodeState, Seen, Versions};
use crate::time::Time;
use crate::wire::Raw;
use crate::wire::message::{AddrBytes, PushNode};
use crate::wire::stream::{PushPull, PushPullWriter};

/// Pools up to this size exchange at the configured interval.
const SCALE_FROM: usize = 32;

impl Swim {
    pub(super) fn exchange_due(&mut self, now: Time) {
        let interval = exchange_interval(self.config.push_pull_interval, self.table.len());
        self.timers.arm(now + interval, Timer::PushPull);
        let own = Arc::clone(&self.config.name);
        let peers = self
            .table
            .sample(1, &mut self.rng, |record| record.state == NodeState::Alive && record.node.name != own);
        let timeout = self.config.stream_timeout;
        for peer in peers {
            self.open_stream(now, peer.addr, Purpose::Exchange { join: None }, timeout);
        }
    }

    /// Everything this node knows, as a message.
    pub(super) fn local_exchange(&self, now: Time, delegate: &mut dyn Delegate, join: bool) -> Vec<u8> {
        let user_state = delegate.local_state(now, join);
        let mut writer = PushPullWriter::new(self.table.len(), user_state.len(), join);
        for record in self.table.iter() {
            let addr = AddrBytes::new(record.node.addr.ip());
            let versions = record.node.versions.to_bytes();
            writer.node(&PushNode {
                name: (&*record.node.name).into(),
                addr: addr.raw(),
                port: record.node.addr.port(),
                meta: Raw(&record.node.meta),
                incarnation: record.incarnation,
                state: record.state as u64,
                vsn: Raw(&versions),
            });
        }
        writer.finish(&user_state)
    }

    /// Takes over what another member knows. On an error nothing of it was taken.
    pub(super) fn merge(
        &mut self,
        now: Time,
        delegate: &mut dyn Delegate,
        theirs: &PushPull<'_>,
    ) -> Result<(), String> {
        let mut entries = Vec::with_capacity(theirs.nodes.len());
        for node in &theirs.nodes {
            let claim = Claim::new(&node.name, node.addr, node.port, node.meta, node.vsn, node.incarnation);
            match (claim, NodeState::from_wire(node.state)) {
                (Some(claim), Some(state)) => entries.push((claim, state)),
                _ => self.drop_from(self.local.addr, DropReason::BadMember),
            }
        }
        self.check_versions(&entries)?;
        if theirs.join {
            let nodes: Vec<Seen> = entries.iter().map(|(claim, state)| claim.seen(now, *state)).collect();
            delegate.accept_merge(&nodes).map_err(|refusal| refusal.0)?;
        }
        let own = Arc::clone(&self.config.name);
        for (claim, state) in &entries {
            match state {
                NodeState::Alive => self.alive(now, delegate, claim),
                NodeState::Left => self.dead(now, claim.name, claim.incarnation, claim.name),
                // A peer may be wrong about who is dead: the accused shall have time to contradict.
                NodeState::Dead | NodeState::Suspect => {
                    self.suspect(now, claim.name, claim.incarnation, &own);
                }
            }
        }
        if !theirs.user_state.is_empty() {
            self.notify(now, delegate);
            delegate.merge_state(now, theirs.user_state, theirs.join);
        }
        Ok(())
    }

    /// Everybody alive on either side must be able to talk with everybody else.
    fn check_versions(&self, entries: &[(Claim<'_>, NodeState)]) -> Result<(), String> {
        let local = self.table.iter().filter(|record| record.state == NodeState::Alive);
        let local = local.map(|record| (&*record.node.name, record.node.versions));
        let remote = entries.iter().filter(|(_, state)| *state == NodeState::Alive);
        let remote = remote.map(|(claim, _)| (claim.name, claim.versions));
        let everybody = || local.clone().chain(remote.clone());

        let mut common = Versions {
            min: 0,
            max: 255,
            current: 0,
            delegate_min: 0,
            delegate_max: 255,
            delegate_current: 0,
        };
        for (_, versions) in everybody() {
            common.min = common.min.max(versions.min);
            common.max = common.max.min(versions.max);
            common.delegate_min = common.delegate_min.max(versions.delegate_min);
            common.delegate_max = common.delegate_max.min(versions.delegate_max);
        }
        for (name, versions) in everybody() {
            let (low, high, current) = (common.min, common.max, versions.current);
            if !(low..=high).contains(&current) {
                return Err(format!(
                    "Node '{name}' protocol version ({current}) is incompatible: [{low}, {high}]"
                ));
            }
            let (low, high, current) = (common.delegate_min, common.delegate_max, versions.delegate_current);
            if !(low..=high).contains(&current) {
                return Err(format!(
                    "Node '{name}' delegate protocol version ({current}) is incompatible: [{low}, {high}]"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn start_join(&mut self, now: Time, addr: SocketAddr, join: super::JoinId) {
        let timeout = self.config.stream_timeout;
        self.open_stream(now, addr, Purpose::Exchange { join: Some(join) }, timeout);
    }
}

impl Claim<'_> {
    fn seen(&self, now: Time, state: NodeState) -> Seen {
        let node = Arc::new(Node {
            name: self.name.into(),
            addr: self.addr,
            meta: bytes::Bytes::copy_from_slice(self.meta),
            versions: self.versions,
        });
        Seen { node, state, incarnation: self.incarnation, changed: now }
    }
}

/// Time between exchanges of one member: the load on everybody stays the same while the pool doubles.
fn exchange_interval(interval: Duration, known: usize) -> Duration {
    if known <= SCALE_FROM {
        return interval;
    }
    let doublings = ((known as f64).log2() - (SCALE_FROM as f64).log2()).ceil();
    interval.saturating_mul(doublings as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_are_rarer_in_larger_pools() {
        let at = |known| exchange_interval(Duration::from_secs(30), known).as_secs();
        assert_eq!([at(1), at(32), at(33), at(64), at(65), at(10_000)], [30, 30, 60, 60, 90, 300]);
    }
}
