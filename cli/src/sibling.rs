//! The programs beside the agent, which this binary acts as when it is started by their names.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sibling {
    Template,
}

impl Sibling {
    /// The one that the program's own name, with or without a path, asks for.
    pub fn named(program: &OsStr) -> Option<Self> {
        match Path::new(program).file_name()?.to_str()? {
            "consul-template" => Some(Self::Template),
            _ => None,
        }
    }

    /// Runs to its end. `words` are those after the name.
    pub fn run(self, words: impl IntoIterator<Item = OsString>) -> ExitCode {
        match self {
            Self::Template => consul_template::run(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siblings_go_by_the_last_part_of_the_path() {
        for path in ["consul-template", "/usr/bin/consul-template", "./consul-template"] {
            assert_eq!(Sibling::named(OsStr::new(path)), Some(Sibling::Template), "{path}");
        }
        for path in ["consul", "/opt/consul-template/consul", "consul-template-old", "", "/"] {
            assert_eq!(Sibling::named(OsStr::new(path)), None, "{path}");
        }
    }
}
