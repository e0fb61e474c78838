//! Renders templates with data from Consul, keeps the files up to date, and tells programs about it.

mod cli;
mod config;
mod core;
mod words;
use std::ffi::OsString;
use std::process::ExitCode;
/// x
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _ = cli::parse(args);
    ExitCode::SUCCESS
}
