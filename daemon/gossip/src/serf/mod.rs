//! The layer above membership: who left and who failed, events, queries, keys and coordinates.
//!
//! A [`Serf`] is the [`Delegate`](crate::Delegate) of a [`Swim`]. Like it, it has no socket, clock or randomness of
//! its own. What it wants its owner to know it leaves as [`Notice`]s; what it wants sent goes out in its `poll`.

mod config;
mod conflict;
mod delegate;
mod deliver;
pub mod event;
mod exchange;
mod filter;
mod intents;
pub mod keys;
mod leave;
mod member;
pub mod message;
mod query;
mod roster;
mod seen;
pub mod snapshot;
mod stats;
mod tags;
mod upkeep;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Serialize;
use thiserror::Error;
use tracing::error;

pub use config::{Admission, Clocks, Config, Hooks, ReconnectTimeout, SaveKeyring};
pub use event::{Event, EventQueue, UserEvent};
pub use filter::Audience;
pub use leave::{LeaveError, Operation, OperationResult};
pub use member::{Member, MemberStatus};
pub use query::{
    INTERNAL_PREFIX, IncomingQuery, QueryError, QueryId, QueryOptions, QueryReply, RespondError,
};
pub use stats::Stats;
pub use tags::{Tags, TagsTooLong};

use crate::coordinate::{Coordinate, CoordinateClient};
use crate::lamport::{LamportClock, LamportTime};
use crate::queue::BroadcastQueue;
use crate::swim::{self, Swim};
use crate::time::Time;
use conflict::ConflictVote;
use keys::KeyOperation;
use leave::{Standing, Wait};
use message::{EventBody, Kind, QUERY_ACK, QueryMessage, QueryResponse, UserEventMessage};
use query::RunningQueries;
use roster::{Roster, RosterLimits};
use seen::Seen;
use upkeep::Schedule;

/// No user event is larger than this, whatever is configured: it must fit into a packet.
pub const USER_EVENT_SIZE_MAX: usize = 9 * 1024;

/// Something for the owner. Events are taken separately: [`Serf::pop_event`].
#[derive(Debug, PartialEq)]
pub enum Notice {
    /// Somebody reacted to a query of ours.
    Reply(QueryId, QueryReply),
    /// No more reactions to a query of ours will come.
    QueryOver(QueryId),
    /// An operation that takes time is over.
    Done(Operation, OperationResult),
    /// This node has left the pool and may go silent.
    HasLeft,
}

/// Why a user event was not sent.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UserEventError {
    // Users know these texts.
    #[error("user event exceeds configured limit of {0} bytes before encoding")]
    OverLimit(usize),
    #[error("user event exceeds sane limit of {0} bytes before encoding")]
    OverMax(usize),
    #[error("encoded user event exceeds configured limit of {0} bytes after encoding")]
    EncodedOverLimit(usize),
    #[error("encoded user event exceeds sane limit of {0} bytes before encoding")]
    EncodedOverMax(usize),
}

/// The state of this layer for one node in one pool.
#[derive(Debug)]
pub struct Serf {
    config: Config,
    hooks: Hooks,
    name: Arc<str>,
    /// Where answers to our queries reach us.
    addr: SocketAddr,
    gossip_interval: Duration,
    rng: StdRng,

    clock: LamportClock,
    event_clock: LamportClock,
    query_clock: LamportClock,
    /// Older events are not delivered.
    event_time_min: LamportTime,
    /// Older queries are not delivered.
    query_time_min: LamportTime,

    roster: Roster,
    events_seen: Seen<EventBody>,
    queries_seen: Seen<u32>,
    running: RunningQueries,
    conflict: Option<ConflictVote>,
    /// Who else claims our name, until `poll` asks the pool.
    conflict_suspected: Option<SocketAddr>,
    conflict_settled_until: Option<Time>,
    /// Requests to change keys or tell them; the keyring is only at hand in `poll`.
    key_requests: Vec<(IncomingQuery, KeyOperation)>,

    intents: BroadcastQueue,
    queries: BroadcastQueue,
    user_events: BroadcastQueue,
    /// What goes straight to one address, when `poll` comes.
    outbox: Vec<(SocketAddr, Bytes)>,

    events: EventQueue,
    notices: VecDeque<Notice>,
    waits: Vec<Wait>,
    next_operation: u64,
    standing: Standing,
    /// Joins under way that do not want to hear of events before them.
    ignoring_old_events: usize,

    coordinates: CoordinateClient,
    coordinate_cache: HashMap<Arc<str>, Coordinate>,
    schedule: Schedule,
}

impl Serf {
    /// Prepares both layers of a node: sets the description from the tags, and the clocks from an earlier life.
    ///
    /// # Errors
    /// The tags do not fit into a description.
    pub fn build(
        now: Time,
        mut swim_config: swim::Config,
        config: Config,
        hooks: Hooks,
        keyring: Option<crate::keyring::Keyring>,
        mut rng: StdRng,
    ) -> Result<(Swim, Self), TagsTooLong> {
        swim_config.meta = tags::encode(&config.tags)?;
        let own_rng = <StdRng as rand::SeedableRng>::from_rng(&mut rng);
        let serf = Self::new(now, &swim_config, config, hooks, own_rng);
        Ok((Swim::new(now, swim_config, keyring, rng), serf))
    }

    fn new(now: Time, swim_config: &swim::Config, config: Config, hooks: Hooks, rng: StdRng) -> Self {
        let name = Arc::clone(&swim_config.name);
        let limits = RosterLimits {
            intents_max: config.recent_intents_max,
            prune_delay: config.broadcast_timeout + config.leave_propagate_delay,
        };
        let mut serf = Self {
            roster: Roster::new(Arc::clone(&name), limits),
            addr: swim_config.addr,
            gossip_interval: swim_config.gossip_interval,
            name,
            rng,
            clock: LamportClock::default(),
            event_clock: LamportClock::default(),
            query_clock: LamportClock::default(),
            event_time_min: LamportTime::default(),
            query_time_min: LamportTime::default(),
            events_seen: Seen::new(config.event_buffer),
            queries_seen: Seen::new(config.query_buffer),
            running: RunningQueries::default(),
            conflict: None,
            conflict_suspected: None,
            conflict_settled_until: None,
            key_requests: Vec::new(),
            intents: BroadcastQueue::new(config.queue_depth_max),
            queries: BroadcastQueue::new(config.queue_depth_max),
            user_events: BroadcastQueue::new(config.queue_depth_max),
            outbox: Vec::new(),
            events: EventQueue::new(config.events_queue_max),
            notices: VecDeque::new(),
            waits: Vec::new(),
            next_operation: 0,
            standing: Standing::Staying,
            ignoring_old_events: 0,
            coordinates: CoordinateClient::default(),
            coordinate_cache: HashMap::new(),
            schedule: Schedule::new(now, &config),
            config,
            hooks,
        };
        if let Some(clocks) = serf.config.heard_before {
            serf.resume(clocks);
        }
        serf
    }

    fn resume(&mut self, clocks: Clocks) {
        self.clock.witness(clocks.member);
        self.event_clock.witness(clocks.event);
        self.query_clock.witness(clocks.query);
        self.event_time_min = clocks.event.next();
        self.query_time_min = clocks.query.next();
    }

    /// Parameters in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Name of the own node.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// All members in order of their names.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.members()
    }

    /// One member.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.roster.get(name)
    }

    /// Whether members changed since the last call.
    pub fn take_members_changed(&mut self) -> bool {
        self.roster.take_changed()
    }

    /// The last times used on each clock: what an instance after this one has already heard.
    pub fn clocks(&self) -> Clocks {
        let last_used = |clock: &LamportClock| LamportTime(clock.time().0.saturating_sub(1));
        Clocks {
            member: last_used(&self.clock),
            event: last_used(&self.event_clock),
            query: last_used(&self.query_clock),
        }
    }

    /// The own network coordinate.
    pub fn coordinate(&self) -> &Coordinate {
        self.coordinates.coordinate()
    }

    /// The coordinate that a member last told us directly; the own one included once it was ever used.
    pub fn coordinate_of(&self, name: &str) -> Option<&Coordinate> {
        if *name == *self.name { Some(self.coordinate()) } else { self.coordinate_cache.get(name) }
    }

    /// All coordinates known, the own one included.
    pub fn all_coordinates(&self) -> impl Iterator<Item = (&str, &Coordinate)> {
        let others = self.coordinate_cache.iter().map(|(name, coordinate)| (&**name, coordinate));
        std::iter::once((&*self.name, self.coordinate())).chain(others)
    }

    /// Next thing that happened.
    pub fn pop_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Next thing the owner waits for.
    pub fn pop_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// Changes what the own node says about itself.
    ///
    /// # Errors
    /// The tags are too long; nothing changed.
    pub fn set_tags(&mut self, swim: &mut Swim, tags: Tags) -> Result<(), TagsTooLong> {
        let meta = tags::encode(&tags)?;
        swim.set_meta(meta).map_err(|_| TagsTooLong)?;
        self.config.tags = tags;
        Ok(())
    }

    /// A join begins. With `ignore_old_events`, events that were sent before it are not delivered. To be followed by
    /// [`Serf::join_ended`].
    pub fn join_begins(&mut self, ignore_old_events: bool) {
        self.ignoring_old_events += usize::from(ignore_old_events);
    }

    /// A join is over. If anybody was reached the pool is told that this node means to be here.
    pub fn join_ended(&mut self, now: Time, ignore_old_events: bool, reached: usize) {
        self.ignoring_old_events -= usize::from(ignore_old_events && self.ignoring_old_events > 0);
        if reached > 0 {
            self.announce_join(now);
        }
    }

    /// Tells everybody that this node means to be here, later than anybody said otherwise.
    fn announce_join(&mut self, now: Time) {
        if !self.is_staying() {
            return;
        }
        let ltime = self.clock.time();
        self.clock.witness(ltime);
        let name = Arc::clone(&self.name);
        self.roster.join_intent(now, &name, ltime);
        let join = message::Join { ltime, node: name.as_ref().to_owned() };
        if let Some(bytes) = encoded(Kind::Join, &join) {
            // Only the latest of these matters.
            self.intents.push(Some(name), bytes);
        }
    }

    /// Sends an event to all members, this one included.
    ///
    /// # Errors
    /// It is too large; nothing was sent.
    pub fn user_event(
        &mut self,
        name: &str,
        payload: &[u8],
        coalesce: bool,
    ) -> Result<LamportTime, UserEventError> {
        let limit = self.config.user_event_size_limit;
        let plain = name.len().saturating_add(payload.len());
        if plain > limit {
            return Err(UserEventError::OverLimit(limit));
        }
        if plain > USER_EVENT_SIZE_MAX {
            return Err(UserEventError::OverMax(USER_EVENT_SIZE_MAX));
        }
        let ltime = self.event_clock.time();
        let event = UserEventMessage { ltime, name: name.to_owned(), payload: payload.into(), coalesce };
        let bytes = encoded(Kind::UserEvent, &event).unwrap_or_default();
        if bytes.len() > limit {
            return Err(UserEventError::EncodedOverLimit(limit));
        }
        if bytes.len() > USER_EVENT_SIZE_MAX {
            return Err(UserEventError::EncodedOverMax(USER_EVENT_SIZE_MAX));
        }
        self.hear_event(event);
        self.user_events.push(None, bytes);
        Ok(ltime)
    }

    /// Asks the pool, this node included. Reactions follow as [`Notice::Reply`], the end as [`Notice::QueryOver`].
    ///
    /// # Errors
    /// It is too large, its name is reserved, or too many queries are running.
    pub fn query(
        &mut self,
        now: Time,
        swim: &Swim,
        name: &str,
        payload: &[u8],
        options: &QueryOptions,
    ) -> Result<QueryId, QueryError> {
        if name.starts_with(INTERNAL_PREFIX) {
            return Err(QueryError::ReservedName);
        }
        self.ask(now, swim, name, payload, options)
    }

    /// Asks all members to do something with a key, or to tell theirs. The payloads of the answers go into a
    /// [`keys::KeyReport`].
    ///
    /// # Errors
    /// Too many queries are running.
    pub fn key_query(
        &mut self,
        now: Time,
        swim: &Swim,
        operation: KeyOperation,
        key: Option<&crate::keyring::Key>,
        relay_factor: u8,
    ) -> Result<QueryId, QueryError> {
        let options = QueryOptions { relay_factor, ..QueryOptions::default() };
        self.ask(now, swim, operation.query_name(), &keys::encode_request(key), &options)
    }

    fn ask(
        &mut self,
        now: Time,
        swim: &Swim,
        name: &str,
        payload: &[u8],
        options: &QueryOptions,
    ) -> Result<QueryId, QueryError> {
        if self.running.len() >= self.config.queries_max {
            return Err(QueryError::TooMany);
        }
        let limit = self.config.query_size_limit;
        let too_large = QueryError::TooLarge { limit };
        let members = swim.member_count();
        let timeout = options.timeout.unwrap_or_else(|| {
            query::default_timeout(self.gossip_interval, self.config.query_timeout_mult, members)
        });
        let query = QueryMessage {
            ltime: self.query_clock.time(),
            id: self.rng.random(),
            addr: self.addr.ip().into(),
            port: self.addr.port(),
            source_node: self.name.as_ref().to_owned(),
            filters: options.audience.encode().map_err(|_| too_large)?,
            flags: if options.want_acks { QUERY_ACK } else { 0 },
            relay_factor: options.relay_factor,
            timeout: i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX),
            name: name.to_owned(),
            payload: payload.into(),
        };
        let bytes = encoded(Kind::Query, &query).ok_or(too_large)?;
        if bytes.len() > limit {
            return Err(too_large);
        }
        let id = QueryId { ltime: query.ltime, id: query.id };
        self.running.start(id, now + timeout, members.saturating_mul(2).saturating_add(64));
        self.hear_query(now, query);
        self.queries.push(None, bytes);
        Ok(id)
    }

    /// Stops listening to the answers of a query.
    pub fn cancel_query(&mut self, id: QueryId) {
        self.running.cancel(id);
    }

    /// Answers a query.
    ///
    /// # Errors
    /// The answer is too large, or comes after the time it was waited for.
    pub fn respond(&mut self, now: Time, query: &IncomingQuery, payload: &[u8]) -> Result<(), RespondError> {
        if now > query.deadline {
            return Err(RespondError::Late);
        }
        let response = QueryResponse {
            ltime: query.id.ltime,
            id: query.id.id,
            from: self.name.as_ref().to_owned(),
            flags: 0,
            payload: payload.into(),
        };
        self.send_response(now, query, response)
    }
}

/// Writes a message of ours. Fails only for lengths that no message here comes near.
fn encoded<T: Serialize>(kind: Kind, body: &T) -> Option<Bytes> {
    message::encode(kind, body)
        .inspect_err(|error| error!(%error, ?kind, "could not encode a gossip message"))
        .ok()
        .map(Bytes::from)
}
