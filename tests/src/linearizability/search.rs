//! Looks for an order that explains a history: the search of Wing and Gong, with Lowe's memory of what was tried.
//!
//! Calls and returns lie in one list by time. An operation may come next if its call stands before the first return in
//! the list: nothing that ended earlier is still to be placed. Each placed operation leaves the list; when a return
//! comes up whose operation could not be placed, the last choice was wrong and is taken back. Which operations were
//! placed and the state they led to decide everything that follows, so a pair that was seen before is not tried again.

use std::collections::HashMap;
use std::hash::Hash;

use super::{Model, Operation};

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    /// No order explains it. The best attempt placed this many operations and could not place the one with this number.
    Violation {
        placed: usize,
        stuck: usize,
    },
    /// Nothing found in as many steps as were allowed.
    Undecided,
}

/// Enough for the histories of these tests many times over; memory stays below a gigabyte.
pub const STEPS_MAX: usize = 5_000_000;

/// Checks one history against a model.
pub fn check<M: Model>(model: &M, history: &[Operation<M::Input, M::Output>], steps_max: usize) -> Verdict {
    Search::new(model, history).run(steps_max)
}

const HEAD: usize = 0;

#[derive(Clone, Copy, Debug)]
enum Event {
    Head,
    /// The operation, and where its return stands in the list.
    Call {
        operation: usize,
        returns: Option<usize>,
    },
    Return {
        operation: usize,
    },
}

/// The operations that were placed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Placed(Box<[u64]>);

impl Placed {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)].into())
    }

    fn flip(&mut self, operation: usize) {
        self.0[operation / 64] ^= 1 << (operation % 64);
    }

    fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, others)| own & !others == 0)
    }
}

/// The situations that were tried already.
struct Tried<S> {
    /// By the operations with an outcome and the state: which unknown ones had been placed as well.
    unknown: HashMap<(Placed, S), Vec<Placed>>,
}

impl<S: Clone + Eq + Hash> Tried<S> {
    /// Whether nothing as good was tried before; if so, remembers it.
    fn is_new(&mut self, placed: &Placed, unknown: &Placed, state: &S) -> bool {
        let seen = self.unknown.entry((placed.clone(), state.clone())).or_default();
        if seen.iter().any(|seen| seen.is_within(unknown)) {
            return false;
        }
        seen.retain(|seen| !unknown.is_within(seen));
        seen.push(unknown.clone());
        true
    }
}

struct Search<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    events: Vec<Event>,
    next: Vec<usize>,
    previous: Vec<usize>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, history: &'a [Operation<M::Input, M::Output>]) -> Self {
        // At one and the same moment calls come first: such operations overlap.
        let mut moments: Vec<(u64, bool, usize)> = Vec::new();
        for (number, operation) in history.iter().enumerate() {
            moments.push((operation.invoked, false, number));
            if let Some((returned, _)) = operation.outcome {
                moments.push((returned.max(operation.invoked), true, number));
            }
        }
        moments.sort_unstable();
        let mut events = vec![Event::Head];
        let mut call_at = vec![HEAD; history.len()];
        for (_, is_return, operation) in moments {
            let at = events.len();
            if is_return {
                events[call_at[operation]] = Event::Call { operation, returns: Some(at) };
                events.push(Event::Return { operation });
            } else {
                call_at[operation] = at;
                events.push(Event::Call { operation, returns: None });
            }
        }
        let count = events.len();
        // The list is a ring: after the last event comes the head.
        let next = (0..count).map(|at| (at + 1) % count).collect();
        let previous = (0..count).map(|at| (at + count - 1) % count).collect();
        Self { model, history, events, next, previous }
    }

    fn unlink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = next;
        self.previous[next] = previous;
    }

    /// Undoes the last [`Self::unlink`] that was not undone yet.
    fn relink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = at;
        self.previous[next] = at;
    }

    /// Whether an operation of unknown outcome that stands before this one asks for the same thing.
    fn has_equal_before(&self, at: usize, operation: usize) -> bool {
        let mut before = self.next[HEAD];
        while before != at {
            if let Event::Call { operation: other, returns: None } = self.events[before]
                && self.history[other].input == self.history[operation].input
            {
                return true;
            }
            before = self.next[before];
        }
        false
    }

    fn run(mut self, steps_max: usize) -> Verdict {
        let mut to_place = self.history.iter().filter(|operation| operation.outcome.is_some()).count();
        let mut state = self.model.initial();
        let mut placed = Placed::none(self.history.len());
        let mut unknown = placed.clone();
        let mut tried = Tried { unknown: HashMap::new() };
        let mut chosen: Vec<(usize, M::State)> = Vec::new();
        let (mut deepest, mut stuck) = (0, 0);
        let mut at = self.next[HEAD];
        let mut among_unknown = false;
        for _ in 0..steps_max {
            if to_place == 0 {
                return Verdict::Linearizable;
            }
            if let Event::Call { operation, returns } = self.events[at] {
                if returns.is_none() != among_unknown
                    || (among_unknown && self.has_equal_before(at, operation))
                {
                    at = self.next[at];
                    continue;
                }
                let step = &self.history[operation];
                let output = step.outcome.as_ref().map(|(_, output)| output);
                let after = self.model.step(&state, &step.input, output);
                let set = if among_unknown { &mut unknown } else { &mut placed };
                set.flip(operation);
                let Some(after) = after.filter(|after| tried.is_new(&placed, &unknown, after)) else {
                    if among_unknown { &mut unknown } else { &mut placed }.flip(operation);
                    at = self.next[at];
                    continue;
                };
                chosen.push((at, std::mem::replace(&mut state, after)));
                self.unlink(at);
                if let Some(returns) = returns {
                    self.unlink(returns);
                    to_place -= 1;
                }
                (at, among_unknown) = (self.next[HEAD], false);
                continue;
            }
            if !among_unknown {
                (at, among_unknown) = (self.next[HEAD], true);
                continue;
            }
            if let Event::Return { operation } = self.events[at]
                && chosen.len() >= deepest
            {
                (deepest, stuck) = (chosen.len(), operation);
            }
            let Some((last, before)) = chosen.pop() else {
                return Verdict::Violation { placed: deepest, stuck };
            };
            state = before;
            if let Event::Call { operation, returns } = self.events[last] {
                among_unknown = returns.is_none();
                if among_unknown { &mut unknown } else { &mut placed }.flip(operation);
                if let Some(returns) = returns {
                    self.relink(returns);
                    to_place += 1;
                }
                self.relink(last);
            }
            at = self.next[last];
        }
        Verdict::Undecided
    }
}

/// The part of a history around an operation, one line each, for a person to read.
pub fn excerpt<I: std::fmt::Debug, O: std::fmt::Debug>(history: &[Operation<I, O>], around: usize) -> String {
    const BEFORE_AND_AFTER: usize = 15;
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|&number| history[number].invoked);
    let position = order.iter().position(|&number| number == around).unwrap_or(0);
    let from = position.saturating_sub(BEFORE_AND_AFTER);
    let to = (position + BEFORE_AND_AFTER + 1).min(order.len());
    let lines = order[from..to].iter().map(|&number| {
        let operation = &history[number];
        let mark = if number == around { ">" } else { " " };
        let ms = |moment: u64| format!("{:.1}", moment as f64 / 1e6);
        let outcome = match &operation.outcome {
            Some((returned, output)) => format!("{} ms: {output:?}", ms(*returned)),
            None => "unknown".to_owned(),
        };
        let (client, input) = (operation.client, &operation.input);
        format!("{mark} client {client} {} ms {input:?} -> {outcome}\n", ms(operation.invoked))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::register::{Input, Output, Register};
    use super::*;

    type Step = Operation<Input, Output>;

    fn done(client: usize, invoked: u64, returned: u64, input: Input, output: Output) -> Step {
        Operation { client, input, invoked, outcome: Some((returned, output)) }
    }

    fn put(client: usize, invoked: u64, returned: u64, value: u64) -> Step {
        done(client, invoked, returned, Input::Put(value), Output::Done)
    }

    fn read(client: usize, invoked: u64, returned: u64, value: Option<u64>) -> Step {
        done(client, invoked, returned, Input::Read, Output::Value(value))
    }

    fn unknown(client: usize, invoked: u64, input: Input) -> Step {
        Operation { client, input, invoked, outcome: None }
    }

    fn verdict(history: &[Step]) -> Verdict {
        check(&Register::default(), history, STEPS_MAX)
    }

    #[track_caller]
    fn good(history: &[Step]) {
        assert_eq!(verdict(history), Verdict::Linearizable);
    }

    #[track_caller]
    fn bad(history: &[Step]) {
        assert!(matches!(verdict(history), Verdict::Violation { .. }), "{:?}", verdict(history));
    }

    #[test]
    fn nothing_happened() {
        good(&[]);
    }

    #[test]
    fn overlapping_write_may_or_may_not_be_seen() {
        good(&[put(1, 0, 10, 1), put(1, 20, 60, 2), read(2, 30, 40, Some(1)), read(3, 45, 50, Some(2))]);
    }

    #[test]
    fn write_that_was_seen_stays_seen() {
        bad(&[put(1, 0, 10, 1), put(1, 20, 60, 2), read(2, 30, 40, Some(2)), read(3, 45, 50, Some(1))]);
    }

    #[test]
    fn stale_read_is_found() {
        bad(&[put(1, 0, 10, 1), put(1, 20, 30, 2), read(2, 40, 50, Some(1))]);
    }

    #[test]
    fn lost_write_is_found() {
        bad(&[put(1, 0, 10, 1), read(2, 20, 30, None)]);
    }

    #[test]
    fn stuck_operation_is_named() {
        let history = [put(1, 0, 10, 1), read(1, 11, 12, Some(1)), read(2, 20, 30, Some(7))];
        assert_eq!(verdict(&history), Verdict::Violation { placed: 2, stuck: 2 });
        assert!(excerpt(&history, 2).lines().last().is_some_and(|line| line.starts_with("> client 2")));
    }

    #[test]
    fn unknown_write_may_show_late_or_never() {
        good(&[unknown(1, 0, Input::Put(1)), read(2, 20, 30, None), read(2, 40, 50, Some(1))]);
        good(&[unknown(1, 0, Input::Put(1)), read(2, 20, 30, None)]);
        bad(&[unknown(1, 0, Input::Put(1)), read(2, 20, 30, Some(1)), read(2, 40, 50, None)]);
    }

    #[test]
    fn unknown_write_does_not_show_before_it_was_sent() {
        bad(&[read(2, 20, 30, Some(1)), unknown(1, 40, Input::Put(1))]);
    }

    #[test]
    fn one_of_two_swaps_from_the_same_value_wins() {
        let swap = |client, output, value| {
            done(client, 20, 30, Input::Swap { expected: Some(1), value }, Output::Swapped(output))
        };
        good(&[put(1, 0, 10, 1), swap(2, true, 2), swap(3, false, 3), read(1, 40, 50, Some(2))]);
        bad(&[put(1, 0, 10, 1), swap(2, true, 2), swap(3, true, 3)]);
        bad(&[put(1, 0, 10, 1), swap(2, false, 2), swap(3, false, 3)]);
    }

    #[test]
    fn refused_swap_must_not_take_effect() {
        let swap = done(2, 20, 30, Input::Swap { expected: Some(9), value: 2 }, Output::Swapped(false));
        good(&[put(1, 0, 10, 1), swap.clone(), read(1, 40, 50, Some(1))]);
        bad(&[put(1, 0, 10, 1), swap, read(1, 40, 50, Some(2))]);
    }

    #[test]
    fn deleted_key_is_gone_until_it_is_written() {
        let delete = done(1, 20, 30, Input::Delete, Output::Done);
        good(&[put(1, 0, 10, 1), delete.clone(), read(2, 40, 50, None)]);
        bad(&[put(1, 0, 10, 1), delete, read(2, 40, 50, Some(1))]);
    }

    #[test]
    fn too_long_a_search_is_no_verdict() {
        assert_eq!(check(&Register::default(), &[put(1, 0, 10, 1)], 0), Verdict::Undecided);
    }

    /// What several clients see of one real register, with a random moment of effect inside each operation.
    fn simulated(seed: u64, count: usize) -> Vec<Step> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut free_at = [0_u64; 5];
        let mut effects = Vec::new();
        for number in 0..count {
            let client = rng.random_range(0..free_at.len());
            let invoked = free_at[client] + rng.random_range(1..20);
            let effect = invoked + rng.random_range(0..20);
            let returned = effect + rng.random_range(0..20);
            free_at[client] = returned;
            let value = number as u64 + 1;
            let input = match rng.random_range(0..10) {
                0..5 => Input::Read,
                5..8 => Input::Put(value),
                8 => Input::Delete,
                _ => Input::Swap { expected: Some(rng.random_range(0..value)), value },
            };
            effects.push((effect, number, client, invoked, returned, input));
        }
        effects.sort_by_key(|&(effect, number, ..)| (effect, number));
        let mut held = None;
        let mut history = Vec::new();
        for (_, number, client, invoked, returned, input) in effects {
            let output = match &input {
                Input::Read => Output::Value(held),
                Input::Put(_) | Input::Delete => Output::Done,
                Input::Swap { expected, .. } => Output::Swapped(*expected == held),
            };
            match input {
                Input::Put(value) => held = Some(value),
                Input::Delete => held = None,
                Input::Swap { value, .. } if output == Output::Swapped(true) => held = Some(value),
                _ => {}
            }
            // Some answers got lost.
            let outcome = (number % 25 != 0).then_some((returned, output));
            history.push(Operation { client, input, invoked, outcome });
        }
        history
    }

    #[test]
    fn every_real_history_is_accepted() {
        for seed in 0..60 {
            assert_eq!(verdict(&simulated(seed, 300)), Verdict::Linearizable, "seed {seed}");
        }
    }

    #[test]
    fn read_of_a_value_from_long_ago_is_found_in_every_history() {
        let mut changed = 0;
        for seed in 0..60 {
            let mut history = simulated(seed, 300);
            let Some((last_read, written)) = outdated(&history) else { continue };
            let Some((_, output)) = &mut history[last_read].outcome else { continue };
            *output = Output::Value(Some(written));
            let found = verdict(&history);
            assert!(matches!(found, Verdict::Violation { .. }), "seed {seed}: {found:?}");
            changed += 1;
        }
        assert!(changed > 40, "only {changed} histories were changed");
    }

    /// A read in the second half, and a value that was overwritten long before it.
    fn outdated(history: &[Step]) -> Option<(usize, u64)> {
        let read = history.iter().rposition(|step| {
            matches!(step.input, Input::Read) && step.outcome.is_some() && step.invoked > 100
        })?;
        let ended_before =
            |step: &Step, moment: u64| step.outcome.as_ref().is_some_and(|(at, _)| *at < moment);
        let puts = history.iter().filter_map(|step| match step.input {
            Input::Put(value) if step.outcome.is_some() => Some((step, value)),
            _ => None,
        });
        let later = puts.clone().rfind(|(step, _)| ended_before(step, history[read].invoked))?;
        let earlier = puts.clone().find(|(step, _)| ended_before(step, later.0.invoked))?;
        Some((read, earlier.1))
    }
}
