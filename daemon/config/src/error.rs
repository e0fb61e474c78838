//! Everything that can be wrong with a configuration, with the place where it is wrong.
//!
//! The wording up to the appended position is what operators and their tooling know from existing agents.

use crate::value::Pos;
use std::collections::HashSet;
use std::fmt;
use thiserror::Error;

/// Why a text is not HCL or JSON.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct SyntaxError {
    message: String,
    pos: Pos,
    hint: Option<String>,
    names_position: bool,
}

impl SyntaxError {
    /// An error whose message does not say where.
    pub(crate) fn located(message: String, pos: Pos) -> Self {
        Self { message, pos, hint: None, names_position: false }
    }

    /// An error whose message already begins with the position.
    pub(crate) fn self_locating(message: String, pos: Pos) -> Self {
        Self { message, pos, hint: None, names_position: true }
    }

    /// Adds advice after the position.
    pub(crate) fn with_hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Where the text stops making sense.
    pub fn pos(&self) -> &Pos {
        &self.pos
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.names_position {
            write!(f, " (line {}, column {})", self.pos.line, self.pos.column)?;
        }
        match &self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

/// One thing that is wrong with a value, and where the value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the offending key; empty when no single key is to blame.
    pub key: String,
    pub message: String,
    /// Where the key was set; absent for a default.
    pub pos: Option<Pos>,
    /// True if the value is understood but not allowed: alone, such a problem is printed without a list around it.
    pub(crate) is_rule: bool,
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>, pos: Option<Pos>) -> Self {
        Self { key: key.into(), message: message.into(), pos, is_rule: false }
    }
}

impl ConfigError {
    /// The error for values that were refused. Each problem is said once, whoever ran into it.
    pub(crate) fn from_values(mut problems: Vec<Problem>) -> Option<Self> {
        let mut said = HashSet::new();
        problems.retain(|problem| said.insert(problem.message.clone()));
        match problems.as_slice() {
            [] => None,
            [only] if only.is_rule => problems.pop().map(Self::Rule),
            _ => Some(Self::Values(problems)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.pos {
            Some(pos) if pos.line > 0 => write!(f, " (at {pos})"),
            _ => Ok(()),
        }
    }
}

/// Why no configuration could be made. Nothing was changed anywhere when this is returned.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A path named on the command line cannot be read.
    #[error("Open failed on {path}. open {path}: {reason}")]
    Open { path: String, reason: String },
    /// A file inside a configuration directory cannot be read.
    #[error("{0}")]
    Read(String),
    /// `-config-format` is neither of the two.
    #[error("-config-format must be either 'hcl' or 'json'")]
    Format,
    /// The text is not valid HCL or JSON.
    #[error("failed to parse {file}: {error}")]
    Syntax { file: String, error: SyntaxError },
    /// Values of the wrong type.
    #[error("failed to parse {file}: {} error(s) decoding:\n\n{}", problems.len(), starred(problems, ""))]
    Decode { file: String, problems: Vec<Problem> },
    /// Keys that no agent ever knew.
    #[error("failed to parse {file}: {}", collected(problems))]
    UnknownKeys { file: String, problems: Vec<Problem> },
    /// Values that cannot be understood, all of them at once.
    #[error("{}", collected(_0))]
    Values(Vec<Problem>),
    /// Values that contradict a rule.
    #[error("{0}")]
    Rule(Problem),
}

/// All reasons why no configuration could be made; never empty.
#[derive(Debug, Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

fn starred(problems: &[Problem], indent: &str) -> String {
    problems.iter().map(|problem| format!("{indent}* {problem}")).collect::<Vec<_>>().join("\n")
}

fn collected(problems: &[Problem]) -> String {
    let heading = match problems.len() {
        1 => "1 error occurred:".to_owned(),
        count => format!("{count} errors occurred:"),
    };
    format!("{heading}\n{}\n", starred(problems, "\t"))
}
