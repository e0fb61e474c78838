//! Full exchange of state with one peer: what gossip may have missed.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::debug;

use super::Serf;
use super::member::MemberStatus;
use super::message::{self, EventBody, EventsAt, Join, Kind, PushPull, UserEventMessage};
use crate::time::Time;

impl Serf {
    pub(super) fn own_state(&self) -> Vec<u8> {
        let events =
            self.events_seen.slots().iter().map(|slot| {
                slot.as_ref().map(|slot| EventsAt { ltime: slot.at, events: slot.items.clone() })
            });
        let state = PushPull {
            ltime: self.clock.time(),
            status_ltimes: self.roster.status_times().map(|(name, time)| (name.to_owned(), time)).collect(),
            left_members: self
                .roster
                .members()
                .filter(|member| member.status == MemberStatus::Left)
                .map(|member| member.name.as_ref().to_owned())
                .collect(),
            event_ltime: self.event_clock.time(),
            events: events.collect(),
            query_ltime: self.query_clock.time(),
        };
        message::encode(Kind::PushPull, &state).unwrap_or_default()
    }

    pub(super) fn merge(&mut self, now: Time, state: &[u8], join: bool) {
        let state: PushPull = match message::decode_as(Kind::PushPull, state) {
            Ok(state) => state,
            Err(error) => {
                debug!(%error, "ignoring the state of a peer");
                return;
            }
        };
        self.clock.witness_clock(state.ltime);
        self.event_clock.witness_clock(state.event_ltime);
        self.query_clock.witness_clock(state.query_ltime);
        self.merge_intents(now, &state);
        if join && self.ignoring_old_events > 0 {
            self.event_time_min = self.event_time_min.max(state.event_ltime);
        }
        for slot in state.events.into_iter().flatten() {
            self.merge_events(slot);
        }
    }

    /// Those that left come first: their times must not count as times of joining.
    fn merge_intents(&mut self, now: Time, state: &PushPull) {
        let staying = self.is_staying();
        let own = Arc::clone(&self.name);
        for name in &state.left_members {
            let last_intent = state.status_ltimes.get(name).copied().unwrap_or_default();
            if !last_intent.is_credible() {
                continue;
            }
            self.clock.witness(last_intent);
            // A peer that counts us as gone knows an intent at this time; ours must be later.
            let last_intent = if **name == *own { last_intent.next() } else { last_intent };
            let outcome = self.roster.left_at_peer(now, name, last_intent, staying);
            self.conclude(now, outcome);
        }
        let gone: HashSet<&String> = state.left_members.iter().collect();
        for (name, ltime) in &state.status_ltimes {
            if !gone.contains(name) {
                self.hear_join(now, &Join { ltime: *ltime, node: name.clone() });
            }
        }
    }

    fn merge_events(&mut self, slot: EventsAt) {
        for EventBody { name, payload } in slot.events {
            // Whether events coalesce is not part of the state.
            self.hear_event(UserEventMessage { ltime: slot.ltime, name, payload, coalesce: false });
        }
    }
}
