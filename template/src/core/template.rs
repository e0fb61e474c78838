//! What is known about one template.

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use super::action::Role;
use super::quiet::Quiet;
use super::{Ask, Now};
use crate::config::{CommandWords, Wait};

/// What holds for one template.
#[derive(Clone, Debug)]
pub struct Rules {
    pub error_fatal: bool,
    pub wait: Option<Wait>,
    /// By which equal commands are recognised.
    pub command: Option<CommandWords>,
    pub role: Role,
}

#[derive(Debug)]
pub struct State<D> {
    pub rules: Rules,
    pub role: Role,
    /// There is news since the last evaluation.
    pub dirty: bool,
    /// The source was edited since the last good evaluation.
    pub edited: bool,
    /// Counts as rendered: the file is there and was right at least once.
    pub rendered: bool,
    pub used: BTreeSet<D>,
    pub missing: BTreeSet<D>,
    /// Output that is not written yet because the data is settling.
    pub held: Option<Vec<u8>>,
    quiet: Option<Quiet>,
    /// The pass at hand takes the held output rather than a new one.
    write_held: bool,
    pub error: Option<String>,
    /// When to write again what could not be written.
    pub retry_at: Option<Instant>,
    pub last_render: Option<SystemTime>,
    pub last_change: Option<SystemTime>,
}

impl<D: Ask> State<D> {
    pub fn new(rules: Rules) -> Self {
        Self {
            role: rules.role,
            rules,
            dirty: true,
            edited: false,
            rendered: false,
            used: BTreeSet::new(),
            missing: BTreeSet::new(),
            held: None,
            quiet: None,
            write_held: false,
            error: None,
            retry_at: None,
            last_render: None,
            last_change: None,
        }
    }

    pub fn uses(&self, dependency: &D) -> bool {
        self.used.contains(dependency) || self.missing.contains(dependency)
    }

    /// When something is due although nothing happens.
    pub fn wake_at(&self) -> Option<Instant> {
        self.due().into_iter().chain(self.retry_at).min()
    }

    /// When the data has settled, if it is settling.
    pub fn due(&self) -> Option<Instant> {
        self.held.as_ref().and(self.quiet).map(|quiet| quiet.due)
    }

    /// A pass takes this template up, either to write what settled or to evaluate it.
    pub fn begin(&mut self, write_held: bool) {
        self.dirty = false;
        self.retry_at = None;
        self.write_held = write_held;
    }

    /// The output that has settled, if that is what this pass is about.
    pub fn take_settled(&mut self) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.write_held) {
            return None;
        }
        self.quiet = None;
        self.held.take()
    }

    /// Puts the output off until the data has settled. False if this template does not wait.
    pub fn settle(&mut self, output: Vec<u8>, now: Instant) -> bool {
        let Some(wait) = self.rules.wait else { return false };
        self.quiet = Some(Quiet::tick(self.quiet.filter(|_| self.held.is_some()), wait, now));
        self.held = Some(output);
        true
    }

    pub fn note_rendered(&mut self, changed: bool, now: Now) {
        self.rendered = true;
        self.error = None;
        self.last_render = Some(now.wall);
        if changed {
            self.last_change = Some(now.wall);
        }
    }
}
