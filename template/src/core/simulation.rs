//! Whole runs with data that comes in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::Wait;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dep(u8);

impl std::fmt::Display for Dep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Ask for Dep {
    fn is_shareable(&self) -> bool {
        true
    }
}

/// What templates see: the version of each answer.
type World = BTreeMap<u8, u32>;

/// A template asks for its first dependency, and for the next only once it has the one before; the value of a
/// dependency decides whether the rest is asked for at all.
fn evaluate(chain: &[u8], known: &World) -> Evaluation<Dep> {
    let (mut used, mut missing, mut output) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for dependency in chain {
        used.insert(Dep(*dependency));
        let Some(version) = known.get(dependency) else {
            missing.insert(Dep(*dependency));
            break;
        };
        output.extend(version.to_be_bytes());
        if version % 5 == 4 {
            break;
        }
    }
    Evaluation { used, missing, output: Ok(output) }
}

struct Simulation {
    core: Core<Dep>,
    chains: Vec<Vec<u8>>,
    now: Now,
    known: World,
    watched: BTreeSet<Dep>,
    files: Vec<Option<Vec<u8>>>,
    writes: usize,
}

impl Simulation {
    /// Does all that is asked for; checks that each of it makes sense.
    fn settle(&mut self) {
        let mut steps = 0;
        while let Some(action) = self.core.next(self.now) {
            steps += 1;
            assert!(steps < 10_000, "endless work");
            match action {
                Action::Watch(dependency) => assert!(self.watched.insert(dependency), "watched twice"),
                Action::Unwatch(dependency) => assert!(self.watched.remove(&dependency)),
                Action::Forget(dependency) => {
                    assert!(self.watched.remove(&dependency));
                    self.known.remove(&dependency.0);
                }
                Action::Evaluate(template) => {
                    let evaluation = evaluate(&self.chains[template], &self.known);
                    self.core.handle(Event::Evaluated { template, evaluation }, self.now);
                }
                Action::Write { template, output } => {
                    self.writes += 1;
                    self.files[template] = Some(output);
                    let outcome = Written::Changed { run_command: true };
                    self.core.handle(Event::Written { template, outcome }, self.now);
                }
                Action::RunCommands(_) | Action::End(_) => panic!("nobody asked for that: {action:?}"),
                Action::Publish { .. }
                | Action::Ready
                | Action::StartChild
                | Action::ReloadChild
                | Action::PassDone => {}
            }
        }
    }

    /// The agent answers what it is asked for, and nothing else.
    fn answer(&mut self, dependency: u8, version: u32) {
        if self.watched.contains(&Dep(dependency)) {
            self.known.insert(dependency, version);
            self.core.handle(Event::Data(Dep(dependency)), self.now);
        }
    }
}

fn chains() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(0u8..6, 1..5), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_file_ends_up_as_the_last_data_says(
        chains in chains(),
        answers in proptest::collection::vec((0u8..6, 0u32..50, 0u64..3000, any::<bool>()), 0..60),
        waits in any::<bool>(),
    ) {
        let wait = waits.then(|| Wait::new(Duration::from_secs(1), Some(Duration::from_secs(2))).unwrap());
        let rules = Rules { error_fatal: true, wait, command: None, role: Role::Alone };
        let mut simulation = Simulation {
            core: Core::new(Mode::default(), vec![rules; chains.len()]),
            files: vec![None; chains.len()],
            chains,
            now: Now::read(),
            known: World::new(),
            watched: BTreeSet::new(),
            writes: 0,
        };
        simulation.settle();
        for (dependency, version, pause, settle) in answers {
            simulation.answer(dependency, version);
            simulation.now.mono += Duration::from_millis(pause);
            if settle {
                simulation.settle();
            }
        }
        // In the end everything is answered, until nobody asks for anything new.
        for _ in 0..8 {
            for dependency in 0..6 {
                if !simulation.known.contains_key(&dependency) {
                    simulation.answer(dependency, 1);
                }
            }
            simulation.settle();
        }
        simulation.now.mono += Duration::from_secs(10);
        simulation.settle();
        prop_assert_eq!(simulation.core.wake_at(), None);
        let mut used = BTreeSet::new();
        for (chain, file) in simulation.chains.iter().zip(&simulation.files) {
            let evaluation = evaluate(chain, &simulation.known);
            prop_assert!(evaluation.missing.is_empty());
            prop_assert_eq!(file.as_ref(), evaluation.output.as_ref().ok());
            used.extend(evaluation.used);
        }
        prop_assert_eq!(&simulation.watched, &used, "watched is what is used, no more and no less");
        let writes = simulation.writes;
        simulation.now.mono += Duration::from_secs(1000);
        simulation.settle();
        prop_assert_eq!(simulation.writes, writes, "without news there is nothing to do");
    }
}
