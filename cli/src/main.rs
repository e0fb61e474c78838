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
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    command::run(&words)
}
