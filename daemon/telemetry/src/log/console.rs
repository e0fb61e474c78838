//! Lines on standard output or standard error.

use std::io::Write;

/// Which standard stream gets the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Standard output, text lines indented below the banner.
    #[default]
    Stdout,
    /// Standard error, not indented.
    Stderr,
    /// Neither.
    None,
}

impl Console {
    /// Writes one line. A reader that has gone away must not stop the agent, so errors are dropped.
    pub(super) fn write(self, line: &str, json: bool) {
        let indent = if json { "" } else { "    " };
        let _ = match self {
            Self::Stdout => writeln!(std::io::stdout().lock(), "{indent}{line}"),
            Self::Stderr => writeln!(std::io::stderr().lock(), "{line}"),
            Self::None => Ok(()),
        };
    }
}
