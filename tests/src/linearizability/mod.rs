//! Whether what clients saw can be explained by one copy of the data.
//!
//! A history holds, for every operation, when it was sent, when its answer came and what the answer was; an operation
//! whose outcome nobody knows (a time limit, a broken connection, an internal error) may have taken effect at any later
//! moment, or never. [`search`] looks for an order that explains all answers and agrees with real time; [`register`] and
//! [`lock`] say what one key and one lock may answer. [`stale`] holds the weaker promises of reads that any server may
//! answer by itself.
//!
//! All of it works on recorded data alone: no clock, no network.

pub mod lock;
pub mod register;
pub mod search;
pub mod stale;

use std::fmt::Debug;
use std::hash::Hash;

/// Nanoseconds since the history began, on one monotonic clock for all clients.
pub type Moment = u64;

/// One request of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<I, O> {
    pub client: usize,
    pub input: I,
    pub invoked: Moment,
    /// When the answer came, and what it was; nothing if the outcome is unknown.
    pub outcome: Option<(Moment, O)>,
}

/// What a thing does when it is used by one client at a time.
pub trait Model {
    type Input: Clone + Debug + PartialEq;
    type Output: Clone + Debug;
    type State: Clone + Eq + Hash + Debug;

    fn initial(&self) -> Self::State;

    /// The state after `input`, or nothing if `output` cannot be its answer in `state`. An unknown output fits always.
    fn step(
        &self,
        state: &Self::State,
        input: &Self::Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State>;
}
