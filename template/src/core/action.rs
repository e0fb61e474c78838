//! What the core is told and what it asks for.

use std::collections::BTreeSet;

/// What happened.
#[derive(Clone, Debug)]
pub enum Event<D> {
    /// There is new data.
    Data(D),
    /// There was an answer without news.
    Answered(D),
    /// There was an answer, but what is asked for does not exist.
    Absent(D),
    /// There was no answer; it will be asked for again.
    Failing { dependency: D, why: String },
    /// There was no answer, and it will not be asked for again.
    GaveUp { dependency: D, why: String },
    /// The outcome of [`Action::Evaluate`].
    Evaluated { template: usize, evaluation: Evaluation<D> },
    /// The outcome of [`Action::Write`].
    Written { template: usize, outcome: Written },
    /// The outcome of [`Action::RunCommands`]: what went wrong.
    CommandsDone(Vec<String>),
    /// The template's source has changed and was parsed.
    Edited(usize),
    /// The template's source has changed, but cannot be parsed; the last good one is still in use.
    Broken { template: usize, why: String },
    /// Another instance shared the data of a template.
    Shared(usize),
    /// Who watches the data of a template has changed.
    Role { template: usize, role: Role },
}

/// What came of evaluating a template.
#[derive(Clone, Debug)]
pub struct Evaluation<D> {
    /// Everything it asked for.
    pub used: BTreeSet<D>,
    /// What of that was not there.
    pub missing: BTreeSet<D>,
    pub output: Result<Vec<u8>, String>,
}

/// What came of writing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is as it should be already.
    Unchanged,
    Changed {
        /// False if the file was only shown, not written.
        run_command: bool,
    },
    /// A guard objects.
    Refused {
        why: String,
        /// The file of an earlier rendering is there.
        has_old: bool,
        /// Other data may satisfy the guard.
        may_change: bool,
    },
    Failed(String),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<D> {
    /// Start to follow the data.
    Watch(D),
    /// Stop to follow the data, but keep what is known.
    Unwatch(D),
    /// Stop to follow the data and forget it.
    Forget(D),
    Evaluate(usize),
    Write {
        template: usize,
        output: Vec<u8>,
    },
    /// Run the commands of these templates, one after the other; all, even if one fails.
    RunCommands(Vec<usize>),
    /// Give the data to other instances.
    Publish {
        template: usize,
        dependencies: Vec<D>,
    },
    /// All templates are rendered: who supervises us may know.
    Ready,
    StartChild,
    /// Tell the supervised program of a change.
    ReloadChild,
    /// A pass has ended.
    PassDone,
    End(End),
}

impl<D> Action<D> {
    /// Whether what comes next depends on its outcome, which the shell must report.
    pub fn has_outcome(&self) -> bool {
        matches!(self, Self::Evaluate(_) | Self::Write { .. } | Self::RunCommands(_))
    }
}

/// How a run ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// There is nothing more to do.
    Finished,
    /// There is nothing more to do but wait for the supervised program.
    WithChild,
    Failed(String),
}

/// Who watches the data of a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Every instance for itself.
    #[default]
    Alone,
    /// We do, for others too.
    Leader,
    /// Another instance does, or it is not decided yet.
    Follower,
}
