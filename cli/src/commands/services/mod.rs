//! `consul services`: services of the local agent.

mod deregister;
mod export;
mod files;
mod register;

use crate::command::Command;

pub static COMMAND: Command = Command::group(
    "services",
    "Register and deregister services",
    "Registers services with the local agent and takes them off again.

    $ consul services register web.json
    $ consul services deregister -id=web",
    &[&deregister::COMMAND, &export::COMMAND, &register::COMMAND],
);
