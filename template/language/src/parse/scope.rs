//! Which variables there are.
//!
//! A variable that is used has to be declared somewhere before in the source, or the template does not parse.
//! Whether it exists when the template runs is another matter: after `{{if}}{{$x := 1}}{{else}}` the source
//! has declared `$x`, but the other branch never ran. Both questions are answered here.

/// Lengths of a [`Scope`] to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    declared: usize,
    /// Number of variables that exist.
    pub(super) slots: usize,
}

#[derive(Debug)]
pub(super) struct Scope {
    /// Names declared so far in the source.
    declared: Vec<Box<str>>,
    /// Names of the variables that exist at this point whenever it is reached; a variable's slot is its index.
    existing: Vec<Box<str>>,
}

impl Scope {
    /// At the beginning of a template there is only its data.
    pub(super) fn new() -> Scope {
        Scope { declared: vec!["$".into()], existing: vec!["$".into()] }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { declared: self.declared.len(), slots: self.existing.len() }
    }

    /// Notes a name on the left of `:=` or `=`. The variable does not exist before its value does.
    pub(super) fn declare(&mut self, name: &str) {
        self.declared.push(name.into());
    }

    /// Makes the variable, and tells its slot.
    pub(super) fn create(&mut self, name: &str) -> usize {
        self.existing.push(name.into());
        self.existing.len() - 1
    }

    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.declared.iter().any(|declared| **declared == *name)
    }

    /// The slot of the variable made last under this name.
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        self.existing.iter().rposition(|existing| **existing == *name)
    }

    /// Leaves a branch for the next one: what it created does not exist there.
    pub(super) fn leave_branch(&mut self, mark: Mark) {
        self.existing.truncate(mark.slots);
    }

    /// Leaves a control structure.
    pub(super) fn leave(&mut self, mark: Mark) {
        self.declared.truncate(mark.declared);
        self.existing.truncate(mark.slots);
    }
}
