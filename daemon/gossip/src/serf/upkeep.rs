//! What is done from time to time.

use std::time::Duration;

use rand::Rng;
use rand::seq::IteratorRandom;
use tracing::{debug, info, warn};

use super::config::Config;
use super::member::MemberStatus;
use super::{Notice, Serf};
use crate::swim::Swim;
use crate::time::Time;

/// When each regular duty is due next.
#[derive(Debug)]
pub(super) struct Schedule {
    reap: Time,
    reconnect: Time,
    queue_check: Time,
}

impl Schedule {
    pub fn new(now: Time, config: &Config) -> Self {
        Self {
            reap: now + config.reap_interval,
            reconnect: now + config.reconnect_interval,
            queue_check: now + config.queue_check_interval,
        }
    }
}

impl Serf {
    pub(super) fn do_what_is_due(&mut self, now: Time, swim: &mut Swim) -> Option<Time> {
        self.serve_key_requests(now, swim);
        self.open_vote(now, swim);
        self.end_queries(now);
        let pruned = self.roster.prune(now);
        self.report_all(pruned);
        if now >= self.schedule.reap {
            self.schedule.reap = now + self.config.reap_interval;
            self.reap(now);
        }
        if now >= self.schedule.reconnect {
            self.schedule.reconnect = now + self.config.reconnect_interval;
            self.reconnect(now, swim);
        }
        if now >= self.schedule.queue_check {
            self.schedule.queue_check = now + self.config.queue_check_interval;
            self.shorten_queues();
        }
        self.finish_waits(now);
        self.advance_leave(now, swim);
        for (to, bytes) in self.outbox.drain(..) {
            swim.send_user(to, bytes);
        }
        let regular = [self.schedule.reap, self.schedule.reconnect, self.schedule.queue_check];
        let others = [self.running.next_deadline(), self.roster.next_prune(), self.leave_deadline()];
        regular.into_iter().chain(others.into_iter().flatten()).min()
    }

    fn end_queries(&mut self, now: Time) {
        for id in self.running.expire(now) {
            if !self.close_vote(id) {
                self.notices.push_back(Notice::QueryOver(id));
            }
        }
    }

    /// Forgets members that have been gone too long, and intents about members that never came.
    fn reap(&mut self, now: Time) {
        let Config { reconnect_timeout, tombstone_timeout, recent_intent_timeout, .. } = self.config;
        let wish = self.hooks.reconnect_timeout.clone();
        let reaped = self.roster.reap(now, |member| match member.status {
            MemberStatus::Left => tombstone_timeout,
            _ => wish.as_ref().and_then(|wish| wish(member)).unwrap_or(reconnect_timeout),
        });
        self.report_all(reaped);
        self.roster.expire_intents(now, recent_intent_timeout);
    }

    /// Tries one failed member, rarely where few of many failed: all others do the same.
    fn reconnect(&mut self, now: Time, swim: &mut Swim) {
        let failed = self.roster.count(MemberStatus::Failed);
        if failed == 0 || !self.is_staying() {
            return;
        }
        let left = self.roster.count(MemberStatus::Left);
        let alive = self.roster.len().saturating_sub(failed + left).max(1);
        if self.rng.random::<f64>() > failed as f64 / alive as f64 {
            return;
        }
        let lost = self.roster.members().filter(|member| member.status == MemberStatus::Failed);
        let Some(member) = lost.choose(&mut self.rng) else { return };
        info!(node = %member.name, addr = %member.addr, "attempting reconnect");
        swim.join(now, member.addr);
    }

    fn shorten_queues(&mut self) {
        let depth = self.config.queue_depth_min.max(self.roster.len().saturating_mul(2));
        for (name, queue) in
            [("intent", &mut self.intents), ("query", &mut self.queries), ("event", &mut self.user_events)]
        {
            let dropped = queue.prune(depth);
            if dropped > 0 {
                warn!(queue = name, dropped, "gossip queue was too long");
            }
        }
    }

    /// Learns from a completed probe.
    pub(super) fn learn_distance(&mut self, name: &std::sync::Arc<str>, rtt: Duration, payload: &[u8]) {
        if !self.config.coordinates {
            return;
        }
        let Some(remote) = super::message::decode_ping_payload(payload) else { return };
        if let Err(error) = self.coordinates.update(name, &remote, rtt, &mut self.rng) {
            debug!(node = %name, ?rtt, %error, "ignoring a network coordinate");
            return;
        }
        if self.roster.get(name).is_some() {
            self.coordinate_cache.insert(std::sync::Arc::clone(name), remote);
        }
    }
}
