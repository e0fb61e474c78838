//! Decides what to do: which data to watch, which template to evaluate, when to write, run and stop.
//!
//! Kept apart from everything that takes time because the faults to fear here are of order: data that arrives while
//! a template settles, a dependency that vanishes in the pass that discovers another, a command that would run
//! twice. So there is no clock, no disk and no connection: the shell tells what happened ([`Core::handle`]), asks
//! what is to be done ([`Core::next`]) and when something will be due though nothing happens ([`Core::wake_at`]).
//!
//! Work comes in passes. A pass takes every template that has something to do, evaluates and writes them in their
//! order, then drops what no template uses any more, runs the commands and tells the supervised program.

mod action;
mod pass;
mod quiet;
#[cfg(test)]
mod simulation;
mod status;
mod template;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant, SystemTime};

pub use action::{Action, End, Evaluation, Event, Role, Written};
pub use status::TemplateStatus;
pub use template::Rules;

use pass::Pass;
use template::State;

/// What templates ask for.
pub trait Ask: Clone + Ord + std::fmt::Display {
    /// Whether other instances can do with the answer that one of them got.
    fn is_shareable(&self) -> bool;
}

/// The time, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub mono: Instant,
    pub wall: SystemTime,
}

impl Now {
    pub fn read() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// What holds for all templates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// End when everything is rendered.
    pub once: bool,
    /// There is a program to supervise.
    pub child: bool,
    /// A key that does not exist is an error.
    pub err_on_failed_lookup: bool,
    /// Write nothing; end when all that templates ask for was answered.
    pub explain: bool,
}

/// What is known about something that templates use.
#[derive(Clone, Debug, Default)]
struct Live {
    watched: bool,
    /// There was an answer of some kind, be it that there is nothing.
    answered: bool,
    failing: Option<String>,
}

/// Pause before a file that could not be written is tried again.
const WRITE_RETRY: Duration = Duration::from_secs(5);

/// More dependencies than this are worth a warning: each is a connection to the agent.
const MANY_DEPENDENCIES: usize = 128;

/// The state of one run.
pub struct Core<D: Ask> {
    mode: Mode,
    templates: Vec<State<D>>,
    live: BTreeMap<D, Live>,
    /// Decided and not yet asked for.
    ready: VecDeque<Action<D>>,
    /// An action was handed out whose outcome decides what comes next.
    busy: bool,
    pass: Option<Pass>,
    /// All templates were rendered once: from now on changes may have to settle.
    complete: bool,
    child_started: bool,
    warned_of_many: bool,
    ended: bool,
}

impl<D: Ask> Core<D> {
    /// A run of templates with these rules, each to be evaluated at once.
    pub fn new(mode: Mode, rules: Vec<Rules>) -> Self {
        Self {
            mode,
            templates: rules.into_iter().map(State::new).collect(),
            live: BTreeMap::new(),
            ready: VecDeque::new(),
            busy: false,
            pass: None,
            complete: false,
            child_started: false,
            warned_of_many: false,
            ended: false,
        }
    }

    /// What is to be done next. None: wait for an event, for the outcome of the last action, or for [`Self::wake_at`].
    pub fn next(&mut self, now: Now) -> Option<Action<D>> {
        loop {
            if let Some(action) = self.ready.pop_front() {
                self.busy = self.busy || action.has_outcome();
                return Some(action);
            }
            if self.busy || self.ended {
                return None;
            }
            if self.pass.is_none() {
                self.pass = Pass::begin(&mut self.templates, now);
            }
            if let Some(pass) = self.pass.as_mut() {
                match pass.queue.pop_front() {
                    Some(template) => self.take_up(template),
                    None => self.close_pass(),
                }
                continue;
            }
            if !self.complete && self.is_complete() {
                self.become_complete();
            }
            self.end_explanation();
            if self.ready.is_empty() {
                return None;
            }
        }
    }

    /// When [`Self::next`] has something to do though nothing happens.
    pub fn wake_at(&self) -> Option<Instant> {
        self.templates.iter().filter_map(State::wake_at).min()
    }

    /// Takes note of what happened.
    pub fn handle(&mut self, event: Event<D>, now: Now) {
        if self.ended {
            return;
        }
        match event {
            Event::Data(dependency) => self.data(&dependency),
            Event::Absent(dependency) => self.absent(&dependency),
            Event::Failing { dependency, why } => {
                if let Some(live) = self.live.get_mut(&dependency) {
                    live.failing = Some(why);
                    live.answered = true;
                }
            }
            Event::Answered(dependency) => self.answered(&dependency),
            Event::GaveUp { dependency, why } => {
                if let Some(live) = self.live.get_mut(&dependency) {
                    live.failing = Some(why.clone());
                }
                self.end(End::Failed(why));
            }
            Event::Evaluated { template, evaluation } => {
                self.busy = false;
                self.evaluated(template, evaluation, now);
            }
            Event::Written { template, outcome } => {
                self.busy = false;
                self.written(template, outcome, now);
            }
            Event::CommandsDone(failures) => {
                self.busy = false;
                if !failures.is_empty() {
                    self.end(End::Failed(failures.join("\n")));
                }
            }
            Event::Edited(template) => {
                if let Some(state) = self.templates.get_mut(template) {
                    state.dirty = true;
                    state.edited = true;
                }
            }
            Event::Broken { template, why } => {
                if let Some(state) = self.templates.get_mut(template) {
                    state.error = Some(why);
                }
            }
            Event::Shared(template) => {
                if let Some(state) = self.templates.get_mut(template) {
                    state.dirty = true;
                }
            }
            Event::Role { template, role } => self.role(template, role),
        }
    }

    fn data(&mut self, dependency: &D) {
        self.answered(dependency);
        for state in &mut self.templates {
            if state.uses(dependency) {
                state.dirty = true;
            }
        }
    }

    fn answered(&mut self, dependency: &D) {
        if let Some(live) = self.live.get_mut(dependency) {
            live.failing = None;
            live.answered = true;
        }
    }

    fn absent(&mut self, dependency: &D) {
        self.answered(dependency);
        if self.mode.err_on_failed_lookup && self.live.contains_key(dependency) {
            self.end(End::Failed(format!("{dependency}: lookup error: there is no such key")));
        }
    }

    fn role(&mut self, template: usize, role: Role) {
        let Some(state) = self.templates.get_mut(template) else { return };
        if state.role != role {
            state.role = role;
            state.dirty = true;
        }
    }

    /// Takes up the next template of a pass: one that settled is written, any other evaluated.
    fn take_up(&mut self, template: usize) {
        let Some(state) = self.templates.get_mut(template) else { return };
        match state.take_settled() {
            Some(output) => self.ready.push_back(Action::Write { template, output }),
            None => self.ready.push_back(Action::Evaluate(template)),
        }
    }

    fn evaluated(&mut self, template: usize, evaluation: Evaluation<D>, now: Now) {
        let Some(state) = self.templates.get_mut(template) else { return };
        let Evaluation { used, missing, output } = evaluation;
        state.missing = missing;
        if output.is_ok() {
            state.used = used;
        } else {
            // What the last good evaluation used stays watched: its next change may mend things.
            state.used.extend(used);
        }
        self.watch_new(template);
        let Some(state) = self.templates.get_mut(template) else { return };
        match output {
            Ok(output) => {
                state.edited = false;
                if state.missing.is_empty() {
                    self.renderable(template, output, now);
                } else {
                    state.held = None;
                }
            }
            Err(why) if state.missing.is_empty() => self.evaluation_failed(template, why),
            Err(_) => {}
        }
    }

    fn evaluation_failed(&mut self, template: usize, why: String) {
        let Some(state) = self.templates.get_mut(template) else { return };
        tracing::error!(target: "runner", "{why}");
        let fatal = state.rules.error_fatal && !(state.edited && state.rendered);
        state.error = Some(why.clone());
        if fatal && !self.mode.explain {
            self.end(End::Failed(why));
        }
    }

    fn renderable(&mut self, template: usize, output: Vec<u8>, now: Now) {
        let (complete, explain) = (self.complete, self.mode.explain);
        let Some(state) = self.templates.get_mut(template) else { return };
        if state.role == Role::Leader {
            let dependencies = state.used.iter().filter(|used| used.is_shareable()).cloned().collect();
            self.ready.push_back(Action::Publish { template, dependencies });
        }
        if explain {
            state.rendered = true;
        } else if complete && state.settle(output.clone(), now.mono) {
            tracing::debug!(target: "runner", template, "waiting for the data to settle");
        } else {
            self.ready.push_back(Action::Write { template, output });
        }
    }

    fn watch_new(&mut self, template: usize) {
        let Some(state) = self.templates.get(template) else { return };
        let follower = state.role == Role::Follower;
        let mut wanted = Vec::new();
        for dependency in state.used.iter().chain(&state.missing) {
            let live = self.live.entry(dependency.clone()).or_default();
            let others_watch = follower && dependency.is_shareable();
            if !live.watched && !others_watch {
                live.watched = true;
                wanted.push(Action::Watch(dependency.clone()));
            }
        }
        self.ready.extend(wanted);
    }

    fn written(&mut self, template: usize, outcome: Written, now: Now) {
        let (once, Some(pass)) = (self.mode.once, self.pass.as_mut()) else { return };
        let Some(state) = self.templates.get_mut(template) else { return };
        match outcome {
            Written::Unchanged => state.note_rendered(false, now),
            Written::Changed { run_command } => {
                state.note_rendered(true, now);
                pass.wrote = true;
                if run_command && let Some(command) = &state.rules.command {
                    pass.add_command(template, command);
                }
            }
            Written::Refused { why, has_old, may_change } => {
                tracing::error!(target: "runner", "{why}");
                state.error = Some(why.clone());
                // The last good file will do, but somebody who waits for this to finish has to know.
                state.rendered = state.rendered || (has_old && !once);
                if once && !may_change {
                    self.end(End::Failed(why));
                }
            }
            Written::Failed(why) => {
                state.error = Some(why.clone());
                if state.rules.error_fatal {
                    self.end(End::Failed(why));
                } else {
                    // Whatever was in the way may go without a change of the data: a full disk, a missing directory.
                    state.retry_at = Some(now.mono + WRITE_RETRY);
                    tracing::error!(target: "runner", "{why}");
                }
            }
        }
    }

    /// The end of a pass, in steps: each call does one, and the last one ends it.
    fn close_pass(&mut self) {
        self.drop_unused();
        let complete = self.is_complete();
        let Some(pass) = self.pass.as_mut() else { return };
        if !pass.commands.is_empty() {
            let commands = std::mem::take(&mut pass.commands);
            self.ready
                .push_back(Action::RunCommands(commands.into_iter().map(|(template, _)| template).collect()));
            return;
        }
        let wrote = pass.wrote;
        self.pass = None;
        self.ready.push_back(Action::PassDone);
        if wrote && self.child_started {
            self.ready.push_back(Action::ReloadChild);
        }
        if complete && !self.complete {
            self.become_complete();
        }
    }

    fn is_complete(&self) -> bool {
        self.templates.iter().all(|state| state.rendered)
    }

    /// All templates are rendered for the first time.
    fn become_complete(&mut self) {
        self.complete = true;
        if self.mode.explain {
            return;
        }
        self.ready.push_back(Action::Ready);
        if self.mode.child && !self.child_started {
            self.child_started = true;
            self.ready.push_back(Action::StartChild);
        }
        if self.mode.once {
            tracing::info!(target: "runner", "once mode and all templates rendered");
            let end = if self.mode.child { End::WithChild } else { End::Finished };
            self.end(end);
        }
    }

    fn end_explanation(&mut self) {
        let answered = self.live.values().all(|live| live.answered || !live.watched);
        if self.mode.explain && answered && !self.templates.iter().any(|state| state.dirty) {
            self.end(End::Finished);
        }
    }

    fn end(&mut self, end: End) {
        if !self.ended {
            if matches!(end, End::Failed(_)) {
                self.ready.clear();
            }
            self.ended = true;
            self.busy = false;
            self.ready.push_back(Action::End(end));
        }
    }

    /// Stops to watch what no template uses, or what only those use that others watch for.
    fn drop_unused(&mut self) {
        let mut used = BTreeSet::new();
        let mut watched = BTreeSet::new();
        for state in &self.templates {
            let follower = state.role == Role::Follower;
            for dependency in state.used.iter().chain(&state.missing) {
                used.insert(dependency.clone());
                if !(follower && dependency.is_shareable()) {
                    watched.insert(dependency.clone());
                }
            }
        }
        let ready = &mut self.ready;
        self.live.retain(|dependency, live| {
            if !used.contains(dependency) {
                ready.push_back(Action::Forget(dependency.clone()));
                return false;
            }
            if live.watched && !watched.contains(dependency) {
                live.watched = false;
                ready.push_back(Action::Unwatch(dependency.clone()));
            }
            true
        });
        let many = watched.len() > MANY_DEPENDENCIES;
        if many && !self.warned_of_many {
            tracing::warn!(target: "runner", "watching {} dependencies; this could put load on the servers", watched.len());
        }
        self.warned_of_many = many;
    }

    /// What each template depends on and waits for, in their order.
    pub fn status(&self) -> Vec<TemplateStatus> {
        self.templates.iter().map(|state| status::of(state, &self.live)).collect()
    }
}
