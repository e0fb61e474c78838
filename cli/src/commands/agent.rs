//! `consul agent`: the long-running process. Everything about it is in the crate `consul-daemon`.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::command::{Body, Command, Http};
use crate::flags::Flag;

pub static COMMAND: Command = Command {
    name: "agent",
    synopsis: "Run an agent",
    usage: "[options]",
    about: "Runs an agent, the process that represents one node of a cluster, until it is told to stop.",
    http: Http::None,
    flags: &[],
    body: Body::Program { run, flags },
};

fn flags() -> Vec<Flag> {
    let row = |row: consul_daemon::FlagRow| match row.is_switch {
        true => Flag::switch(row.name, row.help),
        false => Flag::text(row.name, row.help),
    };
    consul_daemon::flag_rows().map(row).collect()
}

fn run(words: &[OsString]) -> ExitCode {
    consul_daemon::run(words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
}
