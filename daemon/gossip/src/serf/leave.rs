//! Going, and sending others away: things that take as long as word needs to spread.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::message::{Kind, Leave};
use super::{Notice, Serf, encoded};
use crate::queue::Broadcast;
use crate::swim::Swim;
use crate::time::Time;

/// Names something that was begun and takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation(u64);

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// The pool was told.
    Spread,
    /// There was not enough traffic to tell it in time; it may still hear.
    TimedOut,
}

/// Why this node is not leaving now.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LeaveError {
    #[error("Leave already in progress")]
    InProgress,
}

/// A message whose spreading somebody waits for.
#[derive(Debug)]
pub(super) struct Wait {
    operation: Operation,
    broadcast: Broadcast,
    until: Time,
}

/// Whether the own node means to be here.
#[derive(Debug)]
pub(super) enum Standing {
    Staying,
    /// The intent to leave is being spread.
    Announcing {
        broadcast: Option<Broadcast>,
        until: Time,
    },
    /// Membership is being given up.
    Resigning {
        until: Time,
    },
    /// Everybody should know; stays reachable until they do.
    Lingering {
        until: Time,
    },
    Left,
}

impl Serf {
    pub(super) fn is_staying(&self) -> bool {
        matches!(self.standing, Standing::Staying)
    }

    /// Begins to leave: the intent is spread, then membership is given up, then this node stays reachable for a
    /// while. [`Notice::HasLeft`] ends it.
    ///
    /// # Errors
    /// It is leaving already.
    pub fn leave(&mut self, now: Time) -> Result<(), LeaveError> {
        match self.standing {
            Standing::Staying => {}
            Standing::Left => {
                self.notices.push_back(Notice::HasLeft);
                return Ok(());
            }
            _ => return Err(LeaveError::InProgress),
        }
        let until = now + self.config.broadcast_timeout;
        // From here on nobody's word that we leave is refuted.
        self.standing = Standing::Announcing { broadcast: None, until };
        let name = self.own_name();
        let broadcast = self.spread_leave(now, &name, false);
        self.standing = Standing::Announcing { broadcast, until };
        Ok(())
    }

    /// Sends away a member that failed, so that it counts as left; with `prune` it is forgotten altogether. The
    /// operation ends when the pool was told; `None` if there is nobody to tell.
    pub fn force_leave(&mut self, now: Time, name: &str, prune: bool) -> Option<Operation> {
        let broadcast = self.spread_leave(now, name, prune)?;
        let operation = Operation(self.next_operation);
        self.next_operation += 1;
        self.waits.push(Wait { operation, broadcast, until: now + self.config.broadcast_timeout });
        Some(operation)
    }

    /// Says that a member leaves, to ourselves first. `None` if there is nobody else to tell.
    fn spread_leave(&mut self, now: Time, name: &str, prune: bool) -> Option<Broadcast> {
        let leave = Leave { ltime: self.clock.take(), node: name.to_owned(), prune };
        self.hear_leave(now, &leave);
        if !self.roster.has_company() {
            return None;
        }
        let bytes: Bytes = encoded(Kind::Leave, &leave)?;
        // What was said of our joining is over; about others anything may still be on its way.
        let key = (*name == *self.name).then(|| Arc::clone(&self.name));
        Some(self.intents.push(key, bytes))
    }

    pub(super) fn advance_leave(&mut self, now: Time, swim: &mut Swim) {
        if let Standing::Announcing { broadcast, until } = self.standing
            && (now >= until || broadcast.is_none_or(|broadcast| !self.intents.contains(broadcast)))
        {
            swim.leave(now);
            self.standing = Standing::Resigning { until: now + self.config.broadcast_timeout };
        }
        if let Standing::Resigning { until } = self.standing
            && (now >= until || swim.has_left())
        {
            self.standing = Standing::Lingering { until: now + self.config.leave_propagate_delay };
        }
        if let Standing::Lingering { until } = self.standing
            && now >= until
        {
            self.standing = Standing::Left;
            self.notices.push_back(Notice::HasLeft);
        }
    }

    pub(super) fn finish_waits(&mut self, now: Time) {
        let intents = &self.intents;
        let over = self.waits.extract_if(.., |wait| wait.until <= now || !intents.contains(wait.broadcast));
        for wait in over {
            let spread = !intents.contains(wait.broadcast);
            let result = if spread { OperationResult::Spread } else { OperationResult::TimedOut };
            self.notices.push_back(Notice::Done(wait.operation, result));
        }
    }

    /// When one of the above is due without anything happening.
    pub(super) fn leave_deadline(&self) -> Option<Time> {
        let standing = match self.standing {
            Standing::Staying | Standing::Left => None,
            Standing::Announcing { until, .. }
            | Standing::Resigning { until }
            | Standing::Lingering { until } => Some(until),
        };
        self.waits.iter().map(|wait| wait.until).chain(standing).min()
    }
}
