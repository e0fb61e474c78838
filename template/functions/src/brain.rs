//! What a template needs of the program around it.

use std::io;
use std::path::PathBuf;

use consul_config::Interface;

use crate::data::Data;
use crate::dependency::Dependency;

/// The program around a template, as its functions see it.
///
/// All data of one execution should come from one state of the world, so this is usually a snapshot. Nothing else
/// in this crate does I/O.
pub trait Brain: Send + Sync {
    /// What is known about `dependency`; `None` if nothing is, yet. The execution keeps account of what was asked
    /// for and what was not there.
    fn recall(&self, dependency: &Dependency) -> Option<Data>;

    /// An environment variable, `None` if it is not set.
    fn env(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The time, in nanoseconds since the start of 1970.
    fn now(&self) -> i128 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
    }

    /// The real path behind `path`, without symbolic links. Templates confined to a directory ask for it.
    ///
    /// # Errors
    /// If there is nothing at `path`.
    fn real_path(&self, path: &str) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    /// Network addresses of the machine.
    fn interfaces(&self) -> Vec<Interface> {
        consul_config::Host::detect().interfaces
    }

    /// Runs a program directly, without a shell, for 30 seconds at most, and returns what it wrote.
    ///
    /// # Errors
    /// With the text the template fails with: what went wrong, and what the program wrote to both outputs.
    fn run_plugin(&self, program: &str, args: &[String]) -> Result<Vec<u8>, String>;

    /// Writes a file.
    ///
    /// # Errors
    /// With the text the template fails with.
    fn write_file(&self, file: &FileToWrite<'_>) -> Result<(), String>;

    /// Shows a text to who debugs a template, usually on the standard output.
    fn show(&self, text: &str);
}

/// A file that a template writes besides its own output. Directories above it are made; it and its directory must
/// not be symbolic links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileToWrite<'a> {
    /// Where.
    pub path: &'a str,
    /// Name or number of its owner; empty for that of the process.
    pub user: &'a str,
    /// Name or number of its group; empty for that of the process.
    pub group: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Add to what is in the file already.
    pub append: bool,
    /// What to write.
    pub content: &'a [u8],
}
