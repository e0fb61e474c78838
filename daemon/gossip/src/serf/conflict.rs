//! Two members claim one name: the pool votes on whose it is.

use std::net::SocketAddr;
use std::time::Duration;

use tracing::{error, info, warn};

use super::Serf;
use super::deliver::CONFLICT;
use super::event::Event;
use super::message::{self, Kind, MemberBody};
use super::query::{QueryId, QueryOptions, QueryReply};
use crate::node::Node;
use crate::swim::Swim;
use crate::time::Time;

/// How long nobody is asked again whose name it is.
const SETTLED: Duration = Duration::from_secs(30);

/// A running vote.
#[derive(Debug)]
pub(super) struct ConflictVote {
    pub id: QueryId,
    /// Answers from members that know the name.
    answers: usize,
    /// Of these, answers with our address.
    ours: usize,
    /// An address that somebody else knows the name by.
    other: Option<SocketAddr>,
}

impl Serf {
    pub(super) fn note_conflict(&mut self, existing: &Node, other: &Node) {
        if existing.name != self.name {
            let (a, b) = (existing.addr, other.addr);
            warn!(node = %existing.name, %a, %b, "two members claim one name");
            return;
        }
        self.conflict_suspected = Some(other.addr);
    }

    pub(super) fn open_vote(&mut self, now: Time, swim: &Swim) {
        let Some(other) = self.conflict_suspected.take() else { return };
        // Whoever claims the name may do so often; asking once in a while is enough.
        if self.conflict.is_some() || self.conflict_settled_until.is_some_and(|until| now < until) {
            return;
        }
        self.conflict_settled_until = Some(now + SETTLED);
        let resolving = self.config.resolve_name_conflicts;
        error!(node = %self.name, %other, resolving, "another node has the same name; names must be unique");
        if !resolving {
            return;
        }
        let name = self.own_name();
        match self.ask(now, swim, CONFLICT, name.as_bytes(), &QueryOptions::default()) {
            Ok(id) => self.conflict = Some(ConflictVote { id, answers: 0, ours: 0, other: None }),
            Err(error) => warn!(%error, "could not ask whose name it is"),
        }
    }

    pub(super) fn count_vote(&mut self, reply: &QueryReply) {
        let QueryReply::Response { payload, .. } = reply else { return };
        let Ok(Some(member)) = message::decode_as::<Option<MemberBody>>(Kind::ConflictResponse, payload)
        else {
            return;
        };
        let Some(ip) = member.addr.0 else { return };
        let addr = SocketAddr::new(ip, member.port);
        let Some(vote) = &mut self.conflict else { return };
        vote.answers += 1;
        if addr == self.addr {
            vote.ours += 1;
        } else {
            vote.other = Some(addr);
        }
    }

    /// Gives way unless most of those who know the name mean us. Where nobody knows it nobody objects.
    pub(super) fn close_vote(&mut self, id: QueryId) -> bool {
        let Some(vote) = self.conflict.take_if(|vote| vote.id == id) else { return false };
        match vote.other {
            Some(other) if vote.ours <= vote.answers / 2 => {
                error!(
                    ours = vote.ours, answers = vote.answers, %other,
                    "most of the pool knows this node's name as another's"
                );
                self.events.push(Event::NameLost(other));
            }
            _ => info!(ours = vote.ours, answers = vote.answers, "this node keeps its name"),
        }
        true
    }
}
