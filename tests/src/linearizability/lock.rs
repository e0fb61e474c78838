//! One lock key that sessions acquire and release.

use super::{Model, Operation};

/// A session, by the number that its client gave it.
pub type Holder = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Acquire(Holder),
    Release(Holder),
    /// The session is destroyed, and releases what it holds; granted always.
    End(Holder),
}

/// Whether it was granted.
pub type Output = bool;

pub type History = Vec<Operation<Input, Output>>;

/// Sessions here end only by the will of their clients, so a lock that was granted is held until it is released.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lock;

impl Model for Lock {
    type Input = Input;
    type Output = Output;
    type State = Option<Holder>;

    fn initial(&self) -> Option<Holder> {
        None
    }

    fn step(&self, state: &Option<Holder>, input: &Input, output: Option<&Output>) -> Option<Option<Holder>> {
        let (possible, after) = match *input {
            Input::Acquire(who) => (state.is_none_or(|holder| holder == who), Some(who)),
            Input::Release(who) => (*state == Some(who), None),
            Input::End(who) => (true, state.filter(|holder| *holder != who)),
        };
        match output {
            Some(granted) if *granted != possible => None,
            _ => Some(if possible { after } else { *state }),
        }
    }
}

/// A client was told that it holds the lock, and read this lock index while it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub holder: Holder,
    /// When the grant was known, and when the release was sent.
    pub from: u64,
    pub until: u64,
    pub fence: u64,
}

/// Two that held the lock at once, or a fence that did not grow from one holder to the next.
pub fn overlap(mut held: Vec<Held>) -> Option<(Held, Held)> {
    held.sort_by_key(|held| held.from);
    let pairs = held.iter().zip(held.iter().skip(1));
    let wrong = pairs.into_iter().find(|(one, next)| next.from < one.until || next.fence <= one.fence);
    wrong.map(|(one, next)| (*one, *next))
}

#[cfg(test)]
mod tests {
    use super::super::search::{STEPS_MAX, Verdict, check};
    use super::*;

    fn step(input: Input, invoked: u64, returned: u64, granted: bool) -> Operation<Input, Output> {
        Operation { client: 0, input, invoked, outcome: Some((returned, granted)) }
    }

    fn is_good(history: &[Operation<Input, Output>]) -> bool {
        check(&Lock, history, STEPS_MAX) == Verdict::Linearizable
    }

    #[test]
    fn lock_goes_from_hand_to_hand() {
        assert!(is_good(&[
            step(Input::Acquire(1), 0, 10, true),
            step(Input::Acquire(2), 20, 30, false),
            step(Input::Release(1), 40, 50, true),
            step(Input::Acquire(2), 60, 70, true),
        ]));
    }

    #[test]
    fn two_holders_are_found() {
        assert!(!is_good(&[step(Input::Acquire(1), 0, 10, true), step(Input::Acquire(2), 5, 30, true)]));
    }

    #[test]
    fn free_lock_must_be_granted() {
        assert!(!is_good(&[step(Input::Acquire(1), 0, 10, false)]));
    }

    #[test]
    fn unknown_release_may_have_happened() {
        let unknown = Operation { client: 0, input: Input::Release(1), invoked: 20, outcome: None };
        let first = step(Input::Acquire(1), 0, 10, true);
        assert!(is_good(&[first.clone(), unknown.clone(), step(Input::Acquire(2), 40, 50, true)]));
        assert!(is_good(&[first, unknown, step(Input::Acquire(2), 40, 50, false)]));
    }

    #[test]
    fn session_that_ends_releases_only_its_own_lock() {
        let first = step(Input::Acquire(1), 0, 10, true);
        let ends = |who| step(Input::End(who), 20, 30, true);
        assert!(is_good(&[first.clone(), ends(1), step(Input::Acquire(2), 40, 50, true)]));
        assert!(!is_good(&[first, ends(2), step(Input::Acquire(2), 40, 50, true)]));
    }

    #[test]
    fn fences_grow_and_times_do_not_overlap() {
        let held = |holder, from, until, fence| Held { holder, from, until, fence };
        assert_eq!(overlap(vec![held(2, 20, 30, 2), held(1, 0, 10, 1)]), None);
        assert!(overlap(vec![held(1, 0, 10, 1), held(2, 5, 30, 2)]).is_some());
        assert!(overlap(vec![held(1, 0, 10, 2), held(2, 20, 30, 2)]).is_some());
    }
}
