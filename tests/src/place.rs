//! Where a process runs: on the machine itself, or in a host of its own that only exists for a test.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::process::Command;

/// An address, and the words before a command line that make it run where that address is.
#[derive(Clone, Debug)]
pub struct Place {
    pub address: Ipv4Addr,
    launcher: Vec<String>,
}

impl Place {
    /// The machine that runs the tests, with its loopback address.
    pub fn here() -> Self {
        Self::at(Ipv4Addr::LOCALHOST)
    }

    /// The machine that runs the tests, with another of its addresses.
    pub fn at(address: Ipv4Addr) -> Self {
        Self { address, launcher: Vec::new() }
    }

    /// Somewhere that `launcher` brings a command to. It must end in `exec`, so that the process id stays.
    pub fn behind(address: Ipv4Addr, launcher: Vec<String>) -> Self {
        Self { address, launcher }
    }

    /// A command that runs there.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let Some((first, rest)) = self.launcher.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(rest).arg(program);
        command
    }
}
