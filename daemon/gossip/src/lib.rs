//! Who is in the cluster: SWIM with Lifeguard, to the byte as HashiCorp agents speak it.
//!
//! [`swim`] is the protocol as a state machine without socket, clock or randomness of its own: packets, bytes of
//! streams, the time and a generator come in as arguments, and what to send comes out. A [`Member`] couples it with
//! a [`Delegate`], which says what the layer above has to tell and wants to hear. [`shell`] runs a member on tokio;
//! a simulation runs thousands of them in one thread.

pub mod coordinate;
pub mod delegate;
pub mod keyring;
pub mod lamport;
pub mod member;
pub mod node;
pub mod pool;
pub mod queue;
pub mod serf;
pub mod shell;
pub mod swim;
pub mod time;
pub mod wire;

pub use delegate::{Delegate, Refusal};
pub use keyring::{Keyring, KeyringError};
pub use member::Member;
pub use node::{Node, NodeState, Seen, Versions};
pub use queue::{Broadcast, BroadcastQueue, Budget};
pub use swim::{Config, Output, Swim};
pub use time::Time;
