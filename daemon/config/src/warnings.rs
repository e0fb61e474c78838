//! What an operator should hear about a configuration that works.

use crate::value::Pos;
use std::fmt;

/// More than an operator would read; what a garbled file could provoke beyond it is dropped.
const WARNINGS_MAX: usize = 500;

/// A notice. Each concerns one key and is given once per load, however often the key is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub message: String,
    /// Where the key was set, if in a file.
    pub pos: Option<Pos>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Collects notices without repeating one.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    list: Vec<Warning>,
}

impl Warnings {
    pub fn push(&mut self, message: impl Into<String>, pos: Option<Pos>) {
        let message = message.into();
        if self.list.len() < WARNINGS_MAX && !self.list.iter().any(|warning| warning.message == message) {
            self.list.push(Warning { message, pos });
        }
    }

    pub fn into_vec(self) -> Vec<Warning> {
        self.list
    }
}

pub(crate) fn deprecated(old: &str, new: &str) -> String {
    format!("The '{old}' field is deprecated. Use the '{new}' field instead.")
}

pub(crate) fn ignored(old: &str, advice: &str) -> String {
    format!("The '{old}' field is no longer used and will be ignored. {advice}")
}

pub(crate) fn enterprise(key: &str) -> String {
    format!("{key:?} is a Consul Enterprise configuration and will have no effect")
}
