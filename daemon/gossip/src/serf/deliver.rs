//! What is done with messages that arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consul_api::types::bytes::Blob;
use rand::seq::IteratorRandom;
use tracing::{debug, warn};

use super::event::{Event, UserEvent};
use super::keys::{self, KeyOperation};
use super::member::MemberStatus;
use super::message::{
    self, EventBody, Join, Kind, Leave, MemberBody, Message, QUERY_ACK, QUERY_NO_BROADCAST, QueryMessage,
    QueryResponse, RESPONSE_ACK, RelayHeader, UserEventMessage,
};
use super::query::{INTERNAL_PREFIX, IncomingQuery, QueryId, RespondError};
use super::roster::Outcome;
use super::seen::Verdict;
use super::{Notice, Serf, encoded, filter};
use crate::swim::Swim;
use crate::time::Time;

/// Query that does nothing but be acknowledged.
const PING: &str = "_serf_ping";
/// Query that asks what members know of a name.
pub(super) const CONFLICT: &str = "_serf_conflict";

/// Members that can pass on messages speak at least this version.
const RELAY_VERSION: u8 = 5;

/// Requests about keys that wait for their turn. They are served after each packet; a packet holds fewer.
const KEY_REQUESTS_MAX: usize = 64;

/// Messages to single addresses that wait for their turn.
const OUTBOX_MAX: usize = 4096;

impl Serf {
    pub(super) fn deliver(&mut self, now: Time, from: SocketAddr, bytes: &[u8]) {
        let message = match Message::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                debug!(%from, %error, "ignoring a gossip message");
                return;
            }
        };
        match message {
            Message::Leave(leave) => {
                if self.hear_leave(now, &leave) {
                    self.intents.push(None, Bytes::copy_from_slice(bytes));
                }
            }
            Message::Join(join) => {
                if self.hear_join(now, &join) {
                    self.intents.push(None, Bytes::copy_from_slice(bytes));
                }
            }
            Message::UserEvent(event) => {
                if self.hear_event(event) {
                    self.user_events.push(None, Bytes::copy_from_slice(bytes));
                }
            }
            Message::Query(query) => {
                if self.hear_query(now, query) {
                    self.queries.push(None, Bytes::copy_from_slice(bytes));
                }
            }
            Message::QueryResponse(response) => self.hear_response(now, response),
            Message::Relay(header, inner) => self.pass_on(&header, inner),
        }
    }

    /// Takes note of an intent; answers whether it was news.
    pub(super) fn hear_join(&mut self, now: Time, join: &Join) -> bool {
        if !join.ltime.is_credible() {
            return false;
        }
        self.clock.witness(join.ltime);
        let outcome = self.roster.join_intent(now, &join.node, join.ltime);
        self.conclude(now, outcome)
    }

    /// Takes note of an intent; answers whether it was news.
    pub(super) fn hear_leave(&mut self, now: Time, leave: &Leave) -> bool {
        if !leave.ltime.is_credible() {
            return false;
        }
        self.clock.witness(leave.ltime);
        let staying = self.is_staying();
        let outcome = self.roster.leave_intent(now, &leave.node, leave.ltime, leave.prune, staying);
        self.conclude(now, outcome)
    }

    pub(super) fn conclude(&mut self, now: Time, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Ignored => false,
            Outcome::Refute => {
                warn!(node = %self.name, "refuting that this node is leaving");
                self.announce_join(now);
                false
            }
            Outcome::News(events) => {
                self.report_all(events);
                true
            }
        }
    }

    /// Delivers an event unless it was heard before; answers whether it is to be passed on.
    pub(super) fn hear_event(&mut self, event: UserEventMessage) -> bool {
        if !event.ltime.is_credible() {
            return false;
        }
        self.event_clock.witness(event.ltime);
        if event.ltime < self.event_time_min {
            return false;
        }
        let body = EventBody { name: event.name, payload: event.payload };
        match self.events_seen.record(self.event_clock.time(), event.ltime, body.clone()) {
            Verdict::New => {}
            Verdict::Duplicate => return false,
            verdict => {
                warn!(name = body.name, ltime = %event.ltime, ?verdict, "ignoring a user event");
                return false;
            }
        }
        self.events.push(Event::User(UserEvent {
            ltime: event.ltime,
            name: body.name,
            payload: body.payload.0.into_vec().into(),
            coalesce: event.coalesce,
        }));
        true
    }

    /// Delivers or answers a query unless it was heard before; answers whether it is to be passed on.
    pub(super) fn hear_query(&mut self, now: Time, query: QueryMessage) -> bool {
        if !query.ltime.is_credible() {
            return false;
        }
        self.query_clock.witness(query.ltime);
        if query.ltime < self.query_time_min {
            return false;
        }
        if self.queries_seen.record(self.query_clock.time(), query.ltime, query.id) != Verdict::New {
            return false;
        }
        let pass_on = query.flags & QUERY_NO_BROADCAST == 0;
        let filters = query.filters.as_deref().unwrap_or_default();
        if !filter::pass(filters, &self.name, &self.config.tags) {
            return pass_on;
        }
        let Some(reply_to) = query.reply_to() else { return pass_on };
        let incoming = IncomingQuery {
            id: QueryId { ltime: query.ltime, id: query.id },
            reply_to,
            relay_factor: query.relay_factor,
            deadline: now + Duration::from_nanos(query.timeout.max(0).unsigned_abs()),
            name: query.name,
            payload: query.payload.0.into_vec().into(),
            source: query.source_node,
        };
        if query.flags & QUERY_ACK != 0 {
            self.acknowledge(now, &incoming);
        }
        if incoming.name.starts_with(INTERNAL_PREFIX) {
            self.serve_internal(now, incoming);
        } else {
            self.events.push(Event::Query(incoming));
        }
        pass_on
    }

    fn acknowledge(&mut self, now: Time, query: &IncomingQuery) {
        let ack = QueryResponse {
            ltime: query.id.ltime,
            id: query.id.id,
            from: self.name.as_ref().to_owned(),
            flags: RESPONSE_ACK,
            payload: Blob::default(),
        };
        // An acknowledgement is never near the limit of an answer.
        if let Err(error) = self.send_response(now, query, ack) {
            debug!(%error, query = query.name, "could not acknowledge a query");
        }
    }

    fn serve_internal(&mut self, now: Time, query: IncomingQuery) {
        if let Some(operation) = KeyOperation::of_query(&query.name) {
            if self.key_requests.len() < KEY_REQUESTS_MAX {
                self.key_requests.push((query, operation));
            }
            return;
        }
        match query.name.as_str() {
            PING => {}
            CONFLICT => self.tell_of(now, &query),
            _ => debug!(query = query.name, "unknown internal query"),
        }
    }

    /// Answers what we know of a name, unless the question is about us: the parties do not vote.
    fn tell_of(&mut self, now: Time, query: &IncomingQuery) {
        let Ok(name) = std::str::from_utf8(&query.payload) else { return };
        if *name == *self.name {
            return;
        }
        let member = self.roster.get(name).map(|member| MemberBody {
            name: member.name.as_ref().to_owned(),
            addr: member.addr.ip().into(),
            port: member.addr.port(),
            tags: member.tags.as_ref().clone(),
            status: member.status.number(),
            protocol_min: member.versions.min,
            protocol_max: member.versions.max,
            protocol_cur: member.versions.current,
            delegate_min: member.versions.delegate_min,
            delegate_max: member.versions.delegate_max,
            delegate_cur: member.versions.delegate_current,
        });
        let Some(payload) = encoded(Kind::ConflictResponse, &member) else { return };
        if let Err(error) = self.respond(now, query, &payload) {
            warn!(%error, "could not answer a question about a name");
        }
    }

    /// Obeys the requests about keys that came since the last time.
    pub(super) fn serve_key_requests(&mut self, now: Time, swim: &mut Swim) {
        for (query, operation) in std::mem::take(&mut self.key_requests) {
            let (mut response, changed) = keys::serve(operation, &query.payload, swim.keyring_mut());
            if changed
                && let Some(save) = &self.hooks.save_keyring
                && let Some(keyring) = swim.keyring()
                && let Err(error) = save(keyring)
            {
                response = keys::failure(format!("could not save the keyring: {error}"));
            }
            let limit = self.config.query_response_size_limit;
            let payload = keys::encode_response(response, self.response_overhead(&query), limit);
            if let Err(error) = self.respond(now, &query, &payload) {
                warn!(%error, ?operation, "could not answer a request about keys");
            }
        }
    }

    /// Bytes that an answer needs besides its payload.
    fn response_overhead(&self, query: &IncomingQuery) -> usize {
        let empty = QueryResponse {
            ltime: query.id.ltime,
            id: query.id.id,
            from: self.name.as_ref().to_owned(),
            ..QueryResponse::default()
        };
        // The header of a long payload takes five bytes at most.
        encoded(Kind::QueryResponse, &empty).map_or(0, |bytes| bytes.len() + 5)
    }

    pub(super) fn send_response(
        &mut self,
        now: Time,
        query: &IncomingQuery,
        response: QueryResponse,
    ) -> Result<(), RespondError> {
        let limit = self.config.query_response_size_limit;
        let bytes = encoded(Kind::QueryResponse, &response).ok_or(RespondError::TooLarge { limit })?;
        if bytes.len() > limit {
            return Err(RespondError::TooLarge { limit });
        }
        if query.reply_to == self.addr {
            self.hear_response(now, response);
            return Ok(());
        }
        self.send(query.reply_to, bytes.clone());
        self.send_by_others(query, &bytes);
        Ok(())
    }

    /// Sends an answer by way of other members too, in case the direct way is broken.
    fn send_by_others(&mut self, query: &IncomingQuery, response: &[u8]) {
        let count = usize::from(query.relay_factor);
        if count == 0 || self.roster.len() < count + 1 {
            return;
        }
        let Ok(relay) = message::encode_relay(query.reply_to, &query.source, response) else { return };
        if relay.len() > self.config.query_response_size_limit {
            debug!(query = query.name, "answer is too large to be relayed");
            return;
        }
        let relay = Bytes::from(relay);
        let helpers: Vec<SocketAddr> = self
            .roster
            .members()
            .filter(|member| member.status == MemberStatus::Alive && member.name != self.name)
            .filter(|member| member.versions.max >= RELAY_VERSION)
            .map(|member| member.addr)
            .choose_multiple(&mut self.rng, count);
        for helper in helpers {
            self.send(helper, relay.clone());
        }
    }

    /// Sends on what a member asked us to, if it is an answer: nobody relays anything else, and we are nobody's tool
    /// to send arbitrary packets.
    fn pass_on(&mut self, header: &RelayHeader, inner: Bytes) {
        let Some(to) = header.dest_addr.addr() else { return };
        if message::is_kind(&inner, Kind::QueryResponse) {
            self.send(to, inner);
        }
    }

    fn hear_response(&mut self, now: Time, response: QueryResponse) {
        let from = response.from.clone();
        let Some((id, reply)) = self.running.receive(now, response) else {
            debug!(from, "ignoring an answer that is late, repeated or to no query of ours");
            return;
        };
        if self.conflict.as_ref().is_some_and(|vote| vote.id == id) {
            self.count_vote(&reply);
        } else {
            self.notices.push_back(Notice::Reply(id, reply));
        }
    }

    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        if self.outbox.len() < OUTBOX_MAX {
            self.outbox.push((to, bytes));
        }
    }

    pub(super) fn report_all(&mut self, events: Vec<Event>) {
        for event in events {
            if let Event::Reaped(members) = &event {
                for member in members {
                    self.coordinates.forget(&member.name);
                    self.coordinate_cache.remove(&member.name);
                }
            }
            self.events.push(event);
        }
    }

    /// The own name and the address it is known by, as far as this layer is concerned.
    pub(super) fn own_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}
