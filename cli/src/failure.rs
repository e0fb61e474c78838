//! How a command ends when it does not succeed.

use std::io;
use std::process::ExitCode;

use crate::flags::FlagError;

/// A process exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    pub const SUCCESS: Self = Self(0);
    pub const FAILURE: Self = Self(1);
    /// The command ran and its answer is "no": a failed child, an empty list of members.
    pub const NEGATIVE: Self = Self(2);
    /// There is no such command.
    pub const UNKNOWN_COMMAND: Self = Self(127);
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Why a command stopped. Everything but `Closed` is printed on standard error.
#[derive(Debug)]
pub enum Failure {
    /// A line for the user; exit status 1.
    Message(String),
    /// A line for the user and an exit status.
    WithStatus(Exit, String),
    /// The arguments make no sense: the line, then how the command is used.
    Usage(String),
    /// The flags could not be read.
    Flags(FlagError),
    /// Nobody reads our output any more.
    Closed,
}

pub type Outcome = Result<Exit, Failure>;

impl Failure {
    pub fn new(text: impl Into<String>) -> Self {
        Self::Message(text.into())
    }

    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Puts `prefix` before the error's text.
    pub fn of<E: std::fmt::Display>(prefix: impl std::fmt::Display) -> impl Fn(E) -> Self {
        move |error| Self::Message(format!("{prefix}{error}"))
    }
}

/// For writes to standard output: a closed pipe ends the command without a word.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Message(format!("Error writing output: {error}")),
        }
    }
}

impl From<FlagError> for Failure {
    fn from(error: FlagError) -> Self {
        Self::Flags(error)
    }
}
