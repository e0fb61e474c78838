//! What can be wrong with a template, and with running one.

use thiserror::Error;

use crate::format::quote::quoted;

/// A template that cannot be parsed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("template: {name}:{line}: {message}")]
pub struct ParseError {
    /// Name of the source.
    pub name: String,
    /// Line of the source, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A template that failed while it ran; small, because every evaluation may return one. What it had written until then is to be thrown away.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ExecError {
    /// No template of the name asked for was parsed.
    #[error("template: {0}")]
    NotFound(Box<NotFound>),
    /// An expression failed.
    #[error("template: {}", .0)]
    At(Box<Failure>),
}

/// Which template is not there.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no template {} associated with template {}", quoted(.wanted.as_bytes()), quoted(.set.as_bytes()))]
pub struct NotFound {
    /// The name asked for.
    pub wanted: String,
    /// Name of the set.
    pub set: String,
}

/// Which expression of a template failed, and why.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "{source_name}:{line}:{column}: executing {} at <{expression}>: {message}",
    quoted(.template.as_bytes())
)]
pub struct Failure {
    /// Name of the source.
    pub source_name: String,
    /// Line of the source, from 1.
    pub line: usize,
    /// Bytes before the expression on that line.
    pub column: usize,
    /// Name of the template that was being executed.
    pub template: String,
    /// The expression.
    pub expression: String,
    /// What is wrong.
    pub message: String,
}

/// A call that failed: only a text, because all a template can do with it is fail.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct CallError(String);

impl CallError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> CallError {
        CallError(message.into())
    }

    /// An error with the text of another.
    pub fn from_error(error: impl std::error::Error) -> CallError {
        CallError(error.to_string())
    }
}

impl From<String> for CallError {
    fn from(message: String) -> Self {
        CallError(message)
    }
}

impl From<&str> for CallError {
    fn from(message: &str) -> Self {
        CallError(message.into())
    }
}

impl From<ExecError> for CallError {
    fn from(error: ExecError) -> Self {
        CallError::from_error(error)
    }
}
