//! The `consul` program: the agent and everything that is done with one from a shell.

mod agent;
mod child;
mod command;
mod commands;
mod completion;
mod failure;
mod flags;
mod help;
mod http_flags;
mod input;
mod output;
mod pattern;
mod sibling;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

use sibling::Sibling;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    let program = words.next();
    if let Some(sibling) = program.as_deref().and_then(Sibling::named) {
        return sibling.run(words);
    }
    let words: Vec<OsString> = words.collect();
    command::run(&words)
}
