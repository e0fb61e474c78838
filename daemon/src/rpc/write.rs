//! The path of a write.

use std::time::Instant;

use consul_acl::Authorizer;
use consul_state::{Command, Outcome, Version};

use super::RpcError;
use crate::leader::lock_delay::LockDelays;

/// A change that the leader turns into a command of the log.
pub trait Write: Clone + Send {
    type Reply: Send;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError>;

    /// Decides everything that may differ between servers (ids, times, delays), and refuses what cannot work.
    fn prepare(self, leader: &LeaderView<'_>) -> Result<Step<Self::Reply>, RpcError>;

    /// The answer, from what applying the command did.
    fn conclude(outcome: Outcome) -> Result<Self::Reply, RpcError>;
}

/// What the leader knows when it prepares a command.
pub struct LeaderView<'a> {
    pub version: &'a Version,
    pub lock_delays: &'a LockDelays,
    pub now: Instant,
    pub datacenter: &'a str,
    pub session_ttl_min: std::time::Duration,
}

#[expect(clippy::large_enum_variant, reason = "made once for a write and taken apart at once")]
pub enum Step<T> {
    /// Answered without a command.
    Done(T),
    Propose(Command),
}

/// `Ok` if `allowed`, else the refusal that clients know.
pub fn require(allowed: bool) -> Result<(), RpcError> {
    if allowed { Ok(()) } else { Err(RpcError::PermissionDenied) }
}
