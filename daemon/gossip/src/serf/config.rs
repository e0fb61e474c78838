//! What the layer is tuned by, and what its owner may add to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::member::Member;
use super::tags::Tags;
use crate::keyring::Keyring;
use crate::lamport::LamportTime;

/// Parameters, the same for pools near and far. Intervals are measured from the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the own node says about itself.
    pub tags: Tags,
    /// How long to wait until a message was sent often enough.
    pub broadcast_timeout: Duration,
    /// How long to stay after the goodbye, so that it reaches everybody.
    pub leave_propagate_delay: Duration,
    /// Time between looks for members that have been gone too long.
    pub reap_interval: Duration,
    /// Time between attempts to reach a failed member.
    pub reconnect_interval: Duration,
    /// A member that failed longer ago is forgotten.
    pub reconnect_timeout: Duration,
    /// A member that left longer ago is forgotten.
    pub tombstone_timeout: Duration,
    /// An intent about an unknown member is kept this long.
    pub recent_intent_timeout: Duration,
    /// Unknown members whose intents are kept.
    pub recent_intents_max: usize,
    /// Time between looks at the lengths of the queues.
    pub queue_check_interval: Duration,
    /// A queue may hold this many messages, or twice as many as there are members.
    pub queue_depth_min: usize,
    /// A queue never holds more.
    pub queue_depth_max: usize,
    /// Past events that are remembered, to tell new from old. The same in the whole pool.
    pub event_buffer: usize,
    /// Past queries that are remembered.
    pub query_buffer: usize,
    /// Largest user event sent, in bytes.
    pub user_event_size_limit: usize,
    /// Largest query sent, in bytes.
    pub query_size_limit: usize,
    /// Largest answer sent, in bytes.
    pub query_response_size_limit: usize,
    /// A query waits this many gossip intervals per decimal digit of the number of members.
    pub query_timeout_mult: u32,
    /// Queries of our own that may run at one time.
    pub queries_max: usize,
    /// Whether to ask the pool who may keep a name that two members claim, and to give way if it is not us.
    pub resolve_name_conflicts: bool,
    /// Whether to learn where members lie in the network.
    pub coordinates: bool,
    /// What was heard in an earlier life: it is not to be heard again.
    pub heard_before: Option<Clocks>,
    /// Events that wait to be taken. Beyond it the oldest of what users sent is dropped.
    pub events_queue_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tags: Tags::new(),
            broadcast_timeout: Duration::from_secs(5),
            leave_propagate_delay: Duration::from_secs(3),
            reap_interval: Duration::from_secs(15),
            reconnect_interval: Duration::from_secs(30),
            reconnect_timeout: Duration::from_secs(72 * 3600),
            tombstone_timeout: Duration::from_secs(24 * 3600),
            recent_intent_timeout: Duration::from_secs(5 * 60),
            recent_intents_max: 4096,
            queue_check_interval: Duration::from_secs(30),
            queue_depth_min: 4096,
            queue_depth_max: 16_384,
            event_buffer: 512,
            query_buffer: 512,
            user_event_size_limit: 512,
            query_size_limit: 1024,
            query_response_size_limit: 1024,
            query_timeout_mult: 16,
            queries_max: 1024,
            resolve_name_conflicts: false,
            coordinates: true,
            heard_before: None,
            events_queue_max: 4096,
        }
    }
}

/// The last times used on each clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    pub member: LamportTime,
    pub event: LamportTime,
    pub query: LamportTime,
}

/// Who may be in the pool. Implemented by every `Fn(&Member) -> Result<(), String>`; the text is logged, and shown
/// to whoever tries to join. Must not block.
pub trait Admission: Send + Sync {
    /// Asked for every announcement of a member that comes from elsewhere.
    ///
    /// # Errors
    /// Why the member is not wanted.
    fn admit(&self, member: &Member) -> Result<(), String>;

    /// Asked for all members of a peer when two pools join. Beyond each member, their relations can be looked at.
    ///
    /// # Errors
    /// Why the pools must not become one.
    fn admit_all(&self, members: &[Member]) -> Result<(), String> {
        members.iter().try_for_each(|member| self.admit(member))
    }

    /// Asked like [`Admission::admit`], of a member that is new or has changed. `others` are the members that are
    /// alive, without the one of that name.
    ///
    /// # Errors
    /// Why the member cannot be beside one of them.
    fn admit_beside(
        &self,
        member: &Member,
        _others: &mut dyn Iterator<Item = &Member>,
    ) -> Result<(), String> {
        self.admit(member)
    }
}

impl<F: Fn(&Member) -> Result<(), String> + Send + Sync> Admission for F {
    fn admit(&self, member: &Member) -> Result<(), String> {
        self(member)
    }
}

/// A member's own wish how long it is to be remembered after it failed.
pub type ReconnectTimeout = Arc<dyn Fn(&Member) -> Option<Duration> + Send + Sync>;

/// Keeps the keyring beyond this process. Called after every change, before it is acknowledged.
pub type SaveKeyring = Arc<dyn Fn(&Keyring) -> Result<(), String> + Send + Sync>;

/// What the owner adds.
#[derive(Clone, Default)]
pub struct Hooks {
    /// None: everybody may join.
    pub admission: Option<Arc<dyn Admission>>,
    /// None: [`Config::reconnect_timeout`] for all.
    pub reconnect_timeout: Option<ReconnectTimeout>,
    /// None: changes of the keyring are lost when the process ends.
    pub save_keyring: Option<SaveKeyring>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("admission", &self.admission.is_some())
            .field("reconnect_timeout", &self.reconnect_timeout.is_some())
            .field("save_keyring", &self.save_keyring.is_some())
            .finish()
    }
}
