//! Templates in the form in which they are executed.
//!
//! Control structures are flattened into a list of steps with jumps. That keeps templates that invoke each
//! other, and `else if` chains of any length, off the native stack: only expressions are evaluated recursively,
//! and how deep those nest is limited when they are parsed.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::ast::{Pipeline, Pos};
use crate::format::quote;

/// What was parsed; errors show where in it they are.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: Box<[u8]>,
}

impl Source {
    /// Line, from 1, and bytes before `pos` on that line.
    pub(crate) fn locate(&self, pos: Pos) -> (usize, usize) {
        let before = self.text.get(..pos).unwrap_or(&self.text);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count();
        (line, column)
    }
}

/// A template.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) source: Arc<Source>,
    pub(crate) steps: Vec<Step>,
}

impl Program {
    /// Whether there is nothing but space; such a template does not replace another of its name.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Text(range) => {
                let text = String::from_utf8_lossy(self.source.text.get(range.clone()).unwrap_or(&[]));
                text.trim().is_empty()
            }
            _ => false,
        })
    }
}

/// Index of a step.
pub(crate) type Target = usize;

#[derive(Debug)]
pub(crate) enum Step {
    /// Writes a part of the source.
    Text(Range<Pos>),
    /// Evaluates, and writes the value unless it went into a variable.
    Action(Pipeline),
    /// Goes on if the value is true.
    If {
        pipeline: Pipeline,
        otherwise: Target,
    },
    /// Goes on with the value as dot if it is true.
    With {
        pipeline: Pipeline,
        otherwise: Target,
    },
    /// Gives back the dot that was before the `With`, and jumps.
    EndWith {
        to: Target,
    },
    /// Begins a loop at the step after it, which is its `Next`.
    Range {
        pipeline: Pipeline,
        otherwise: Target,
    },
    /// Goes on with the next element, or leaves the loop. `slots` are the variables that exist besides those
    /// made in the body.
    Next {
        slots: usize,
        end: Target,
    },
    /// Leaves the innermost loop.
    Break {
        end: Target,
    },
    /// Goes back to the `Next` of the innermost loop.
    Continue {
        next: Target,
    },
    Jump(Target),
    /// Forgets all but the first `slots` variables.
    Forget {
        slots: usize,
    },
    Template(Invocation),
}

/// `{{template "name" pipeline}}`
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) pos: Pos,
    pub(crate) name: Box<str>,
    pub(crate) pipeline: Option<Pipeline>,
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote::quoted(self.name.as_bytes()))?;
        if let Some(pipeline) = &self.pipeline {
            write!(f, " {pipeline}")?;
        }
        f.write_str("}}")
    }
}
