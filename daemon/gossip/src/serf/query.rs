//! Questions to the pool: those that run here, and those that came.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;

use super::filter::Audience;
use super::message::{QueryResponse, RESPONSE_ACK};
use crate::lamport::LamportTime;
use crate::time::Time;

/// Names of queries that members answer by themselves start with this.
pub const INTERNAL_PREFIX: &str = "_serf_";

/// Names a query: its time alone may not be unique, its number alone is guessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QueryId {
    pub ltime: LamportTime,
    pub id: u32,
}

/// How a query is to be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryOptions {
    /// Whom it is for.
    pub audience: Audience,
    /// Whether members say at once that they got it.
    pub want_acks: bool,
    /// How many other members each answer is sent through as well, in case the direct way is broken.
    pub relay_factor: u8,
    /// How long answers are waited for; none: by the size of the pool.
    pub timeout: Option<Duration>,
}

/// One reaction to a query. Each member reacts at most once in each way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryReply {
    /// The member got the query.
    Ack { from: String },
    /// The member's answer.
    Response { from: String, payload: Bytes },
}

/// A query that came from somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingQuery {
    pub id: QueryId,
    pub name: String,
    pub payload: Bytes,
    /// Name of the member that asks.
    pub source: String,
    /// Where it hears answers.
    pub(super) reply_to: SocketAddr,
    pub(super) relay_factor: u8,
    /// Later answers are not waited for.
    pub(super) deadline: Time,
}

/// Why a query was not asked.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QueryError {
    #[error("query exceeds limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("Queries cannot contain the '{INTERNAL_PREFIX}' prefix")]
    ReservedName,
    #[error("too many queries are running")]
    TooMany,
}

/// Why an answer was not sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RespondError {
    #[error("response is past the deadline")]
    Late,
    #[error("response exceeds limit of {limit} bytes")]
    TooLarge { limit: usize },
}

#[derive(Debug)]
struct Running {
    deadline: Time,
    acks: HashSet<String>,
    responses: HashSet<String>,
    replies_max: usize,
}

/// The queries that were asked here and still wait for answers.
#[derive(Debug, Default)]
pub struct RunningQueries {
    running: HashMap<QueryId, Running>,
}

impl RunningQueries {
    /// Number of queries waiting.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Begins to wait. At most `replies_max` members are heard, since anybody may claim to be one.
    pub fn start(&mut self, id: QueryId, deadline: Time, replies_max: usize) {
        let running = Running { deadline, acks: HashSet::new(), responses: HashSet::new(), replies_max };
        self.running.insert(id, running);
    }

    /// Takes an answer. `None` if nobody waits for it, or not for a second one.
    pub fn receive(&mut self, now: Time, response: QueryResponse) -> Option<(QueryId, QueryReply)> {
        let id = QueryId { ltime: response.ltime, id: response.id };
        let running = self.running.get_mut(&id).filter(|running| now < running.deadline)?;
        let is_ack = response.flags & RESPONSE_ACK != 0;
        let heard = if is_ack { &mut running.acks } else { &mut running.responses };
        if heard.len() >= running.replies_max || !heard.insert(response.from.clone()) {
            return None;
        }
        let reply = if is_ack {
            QueryReply::Ack { from: response.from }
        } else {
            QueryReply::Response { from: response.from, payload: response.payload.0.into_vec().into() }
        };
        Some((id, reply))
    }

    /// Stops waiting, because nobody is interested any more.
    pub fn cancel(&mut self, id: QueryId) {
        self.running.remove(&id);
    }

    /// Ends the queries whose time is over.
    pub fn expire(&mut self, now: Time) -> Vec<QueryId> {
        let over: Vec<QueryId> =
            self.running.iter().filter(|(_, running)| running.deadline <= now).map(|(id, _)| *id).collect();
        for id in &over {
            self.running.remove(id);
        }
        over
    }

    /// When the next query is over.
    pub fn next_deadline(&self) -> Option<Time> {
        self.running.values().map(|running| running.deadline).min()
    }
}

/// How long answers are waited for in a pool of `members`.
pub fn default_timeout(gossip_interval: Duration, mult: u32, members: usize) -> Duration {
    let scale = ((members as f64) + 1.0).log10().ceil().max(1.0) as u32;
    gossip_interval.saturating_mul(mult).saturating_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::new(Duration::from_secs(seconds))
    }

    fn response(from: &str, flags: u32) -> QueryResponse {
        QueryResponse { ltime: LamportTime(3), id: 9, from: from.to_owned(), flags, payload: b"x"[..].into() }
    }

    const ID: QueryId = QueryId { ltime: LamportTime(3), id: 9 };

    #[test]
    fn a_member_is_heard_once_in_each_way_and_not_after_the_deadline() {
        let mut queries = RunningQueries::default();
        queries.start(ID, at(10), 8);
        let ack = Some((ID, QueryReply::Ack { from: "a".to_owned() }));
        let answer =
            Some((ID, QueryReply::Response { from: "a".to_owned(), payload: Bytes::from_static(b"x") }));
        assert_eq!(queries.receive(at(1), response("a", RESPONSE_ACK)), ack);
        assert_eq!(queries.receive(at(1), response("a", 0)), answer);
        assert_eq!(queries.receive(at(1), response("a", 0)), None);
        assert_eq!(queries.receive(at(1), QueryResponse { id: 8, ..response("b", 0) }), None);
        assert_eq!(queries.receive(at(10), response("b", 0)), None);
        assert_eq!(queries.expire(at(9)), []);
        assert_eq!(queries.expire(at(10)), [ID]);
        assert_eq!(queries.next_deadline(), None);
    }

    #[test]
    fn forged_senders_cannot_fill_memory() {
        let mut queries = RunningQueries::default();
        queries.start(ID, at(10), 8);
        let heard =
            (0..100).filter(|n| queries.receive(at(1), response(&n.to_string(), 0)).is_some()).count();
        assert_eq!(heard, 8);
    }

    #[test]
    fn waiting_grows_with_the_digits_of_the_pool() {
        let timeout = |members| default_timeout(Duration::from_millis(200), 16, members);
        assert_eq!(timeout(1), Duration::from_millis(3200));
        assert_eq!(timeout(9), Duration::from_millis(3200));
        assert_eq!(timeout(10), Duration::from_millis(6400));
        assert_eq!(timeout(1000), Duration::from_millis(12_800));
    }
}
