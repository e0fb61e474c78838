//! Decides when this server stands for election.
//!
//! openraft's own election timer is off, because of three things it does: it stands at once after a restart, although
//! the server may have promised loyalty a moment before (see `contact`); it stands again and again while it is cut
//! off, and the term it reached that way deposes a healthy leader when the cut ends; and the random part of its pause
//! is chosen once per process. Here a server first canvasses: it asks all voters whether they would elect it, which
//! changes nothing anywhere, and stands only when a quorum says yes.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::trace;

use crate::config::Timing;
use crate::contact::Contact;
use crate::jitter;
use crate::lease::Lease;
use crate::log::Log;
use crate::transport::{Method, Transport};
use crate::types::{LogId, Membership, OpenRaft, Peer, ServerId};
use crate::wire;

/// Would you elect a candidate whose log ends here?
#[derive(Serialize, Deserialize)]
pub(crate) struct Canvass {
    pub last_log_id: Option<LogId>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub yes: bool,
}

pub(crate) struct Elector {
    pub raft: OpenRaft,
    pub log: Log,
    pub lease: Arc<Lease>,
    pub contact: Arc<Contact>,
    pub transport: Arc<dyn Transport>,
    pub timing: Timing,
    pub stop: watch::Receiver<bool>,
}

/// Whether this server would elect a candidate whose log ends with `last`.
pub(crate) fn would_elect(contact: &Contact, lease: &Lease, log: &Log, last: Option<LogId>) -> bool {
    !contact.is_bound() && !contact.backs_successor() && !lease.may_propose() && last >= log.last()
}

impl Elector {
    pub async fn run(mut self) {
        let mut at = Instant::now() + jitter::below(self.timing.election_min);
        loop {
            tokio::select! {
                biased;
                _ = self.stop.changed() => return,
                () = tokio::time::sleep_until(at) => {}
            }
            let Some(next) = self.step().await else { return };
            at = next;
        }
    }

    /// When to look again. `None`: consensus ended here.
    async fn step(&self) -> Option<Instant> {
        let Timing { heartbeat, election_min, .. } = self.timing;
        let now = Instant::now();
        let membership = self.membership();
        if self.lease.is_leader() || !membership.voter_ids().any(|voter| voter == self.lease.me()) {
            return Some(now + heartbeat + jitter::below(election_min));
        }
        let free_at = self.contact.free_at();
        if now < free_at {
            return Some(free_at + jitter::below(election_min));
        }
        if !self.canvass(&membership).await {
            // The others may be bound for a moment longer.
            return Some(Instant::now() + heartbeat / 2 + jitter::below(heartbeat));
        }
        // A leader may have come up meanwhile.
        if !self.contact.is_bound() && !self.lease.is_leader() {
            self.raft.trigger().elect().await.ok()?;
        }
        Some(Instant::now() + election_min + jitter::below(election_min))
    }

    fn membership(&self) -> Membership {
        self.raft.server_metrics().borrow().membership_config.membership().clone()
    }

    /// Whether a quorum would elect this server.
    async fn canvass(&self, membership: &Membership) -> bool {
        let me = self.lease.me();
        let mut in_favour = BTreeSet::from([me]);
        if is_quorum(membership, &in_favour) {
            return true;
        }
        let last_log_id = self.log.last();
        let others: BTreeSet<ServerId> = membership.voter_ids().filter(|voter| *voter != me).collect();
        let peers = others.iter().filter_map(|id| Some(Peer::new(*id, membership.get_node(id)?)));
        let mut asked: FuturesUnordered<_> = peers.map(|peer| self.ask(peer, last_log_id)).collect();
        while let Some((peer, yes)) = asked.next().await {
            if yes {
                in_favour.insert(peer);
            }
            if is_quorum(membership, &in_favour) {
                return true;
            }
        }
        trace!(in_favour = in_favour.len(), "would not be elected");
        false
    }

    async fn ask(&self, peer: Peer, last_log_id: Option<LogId>) -> (ServerId, bool) {
        let Ok(request) = wire::encode_for(peer.id, &Canvass { last_log_id }) else {
            return (peer.id, false);
        };
        let asked = self.transport.call(&peer, Method::Canvass, request, self.timing.heartbeat);
        let answer = asked.await.ok().and_then(|body| wire::decode::<Answer>(&body).ok());
        (peer.id, answer.is_some_and(|answer| answer.yes))
    }
}

fn is_quorum(membership: &Membership, servers: &BTreeSet<ServerId>) -> bool {
    let sets = membership.get_joint_config();
    let majority = |set: &BTreeSet<ServerId>| set.intersection(servers).count() > set.len() / 2;
    !sets.is_empty() && sets.iter().all(majority)
}
