//! One key of the store.
//!
//! Values are numbers that are written once each. Conditional writes name a modify index on the wire; as every value is
//! written once, the index stands for the value that was read with it, so the model compares values, and separately
//! knows which index belongs to which value: along the order of effects the index may only grow.

use std::collections::HashMap;
use std::fmt;

use super::{Model, Operation};

pub type Value = u64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Read,
    Put(Value),
    Delete,
    /// `?cas=<index>`: writes if the key still is what it was; `expected` of nothing wants no such key.
    Swap {
        expected: Option<Value>,
        value: Value,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Value(Option<Value>),
    Done,
    Swapped(bool),
}

/// What is known of a key beyond the history: the modify index of each value that somebody read.
#[derive(Clone, Debug, Default)]
pub struct Register {
    indexes: HashMap<Value, u64>,
}

/// One value was read with two modify indexes: it was written twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenTwice {
    pub value: Value,
    pub indexes: (u64, u64),
}

impl fmt::Display for WrittenTwice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, indexes: (first, second) } = self;
        write!(out, "value {value} was written once and read with the modify indexes {first} and {second}")
    }
}

impl Register {
    /// Takes the values and modify indexes of all reads, in any mode.
    pub fn new(reads: impl IntoIterator<Item = (Value, u64)>) -> Result<Self, WrittenTwice> {
        let mut indexes = HashMap::new();
        for (value, index) in reads {
            let known = *indexes.entry(value).or_insert(index);
            if known != index {
                return Err(WrittenTwice { value, indexes: (known, index) });
            }
        }
        Ok(Self { indexes })
    }

    fn write(&self, state: State, value: Value) -> Option<State> {
        let Some(&index) = self.indexes.get(&value) else {
            return Some(State { value: Some(value), ..state });
        };
        (index > state.index).then_some(State { value: Some(value), index })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    value: Option<Value>,
    /// The highest index known so far.
    index: u64,
}

impl Model for Register {
    type Input = Input;
    type Output = Output;
    type State = State;

    fn initial(&self) -> State {
        State::default()
    }

    fn step(&self, state: &State, input: &Input, output: Option<&Output>) -> Option<State> {
        match (input, output) {
            (Input::Read, None) => Some(*state),
            (Input::Read, Some(Output::Value(value))) => (*value == state.value).then_some(*state),
            (Input::Put(value), None | Some(Output::Done)) => self.write(*state, *value),
            (Input::Delete, None | Some(Output::Done)) => Some(State { value: None, ..*state }),
            (Input::Swap { expected, value }, output) => {
                let fits = *expected == state.value;
                match output {
                    None | Some(Output::Swapped(true)) if fits => self.write(*state, *value),
                    None | Some(Output::Swapped(false)) if !fits => Some(*state),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// A key's operations.
pub type History = Vec<Operation<Input, Output>>;

#[cfg(test)]
mod tests {
    use super::super::search::{STEPS_MAX, Verdict, check};
    use super::*;

    fn put(invoked: u64, returned: u64, value: Value) -> Operation<Input, Output> {
        Operation { client: 1, input: Input::Put(value), invoked, outcome: Some((returned, Output::Done)) }
    }

    #[test]
    fn indexes_must_grow_along_the_order_of_effects() {
        let in_turn = [put(0, 10, 1), put(20, 30, 2)];
        let forwards = Register::new([(1, 5), (2, 9)]).unwrap();
        let backwards = Register::new([(1, 9), (2, 5)]).unwrap();
        assert_eq!(check(&forwards, &in_turn, STEPS_MAX), Verdict::Linearizable);
        assert!(matches!(check(&backwards, &in_turn, STEPS_MAX), Verdict::Violation { .. }));
        let at_once = [put(0, 30, 1), put(0, 30, 2)];
        assert_eq!(check(&backwards, &at_once, STEPS_MAX), Verdict::Linearizable);
    }

    #[test]
    fn value_with_two_indexes_was_written_twice() {
        let twice = Register::new([(7, 3), (8, 4), (7, 5)]).unwrap_err();
        assert_eq!(twice, WrittenTwice { value: 7, indexes: (3, 5) });
    }
}
