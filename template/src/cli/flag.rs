//! What a flag is.

use super::Line;

/// Whether a flag needs a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing, or a boolean after `=`.
    Switch,
    /// What stands for the value in the help text.
    Value(&'static str),
}

/// One flag: how it is written, what it does and what to tell about it.
pub struct Flag {
    pub name: &'static str,
    pub takes: Takes,
    pub set: fn(&mut Line, &str) -> Result<(), String>,
    /// Empty for an old name that the help text does not list.
    pub help: &'static str,
    /// The name that this one is an old form of.
    pub now: Option<&'static str>,
}
