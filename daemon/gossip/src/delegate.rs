//! The seam to the layer above: what it adds to messages and what it hears.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use crate::node::{Node, Seen};
use crate::queue::Budget;
use crate::swim::Swim;
use crate::time::Time;

/// Why the layer above does not want a member. The text is logged and shown to the user who tried to join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The layer above membership. All calls are made while one input is being processed and must not block.
///
/// A callback cannot reach the [`Swim`] that calls it. Whatever it wants done (answer a message, change the
/// description, leave) it remembers and does in [`Delegate::poll`], which follows every input.
pub trait Delegate {
    /// A message of the layer above arrived, by packet or by stream: the bytes behind the type byte. `from` is the
    /// address it came from, which is not always where its author listens.
    fn user_message(&mut self, now: Time, from: SocketAddr, message: &[u8]);

    /// A packet has room: messages to spread with it, without type byte. Each costs its length and
    /// [`Budget::overhead`]; together they must not exceed [`Budget::bytes`]. What is over is left out.
    fn broadcasts(&mut self, now: Time, budget: &Budget) -> Vec<Bytes>;

    /// State for a full exchange with one peer; `join` if it is made for joining. Empty: none is sent.
    fn local_state(&mut self, now: Time, join: bool) -> Vec<u8>;

    /// State of a peer from a full exchange. Not called when the peer sent none.
    fn merge_state(&mut self, now: Time, state: &[u8], join: bool);

    /// A member is there that was not, or was gone. Also called for the own node at the start.
    fn joined(&mut self, now: Time, node: &Node);

    /// A member changed its description. Also called for the own node.
    fn updated(&mut self, now: Time, node: &Node);

    /// A member said goodbye. Also called for the own node when it leaves.
    fn left(&mut self, now: Time, node: &Node);

    /// A member does not answer any more.
    fn failed(&mut self, now: Time, node: &Node);

    /// Whether an announced member may be in this pool. Asked for each announcement that comes from elsewhere.
    fn accept(&mut self, node: &Node) -> Result<(), Refusal>;

    /// Whether the members of a peer that is joining (or being joined) may be in this pool. One unwanted member
    /// makes the exchange fail as a whole.
    fn accept_merge(&mut self, nodes: &[Seen]) -> Result<(), Refusal>;

    /// Two members claim one name: `other` was ignored.
    fn conflict(&mut self, existing: &Node, other: &Node);

    /// Rides on the answer to a direct ping: the own network coordinate. Empty: nothing.
    fn ack_payload(&mut self) -> Vec<u8>;

    /// A direct ping was answered after `rtt`, with what the other side's [`Delegate::ack_payload`] returned.
    fn ping_completed(&mut self, now: Time, node: &Node, rtt: Duration, payload: &[u8]);

    /// Called after each input, when all callbacks of it have been made: the place to act on `swim` (send messages,
    /// change the description, leave) and to look at own timers. Returns when to be called again at the latest.
    fn poll(&mut self, now: Time, swim: &mut Swim) -> Option<Time>;
}
