//! `consul intention`: which service may talk to which.

mod check;
mod create;
mod delete;
mod get;
mod list;
mod matching;

use consul_api::types::intention::Intention;

use crate::agent::{Agent, CallError};
use crate::command::Command;

pub static COMMAND: Command = Command::group(
    "intention",
    "Manage intentions",
    "Intentions say which service may connect to which. They are kept and answered for; nothing enforces them.

    $ consul intention create -deny web db
    $ consul intention check web db",
    &[
        &check::COMMAND,
        &create::COMMAND,
        &delete::COMMAND,
        &get::COMMAND,
        &list::COMMAND,
        &matching::COMMAND,
    ],
);

/// The intention that the positionals name: an id, or source and destination.
fn find(agent: &Agent, args: &[String]) -> Result<Intention, CallError> {
    match args {
        [id] => agent.get(format!("/v1/connect/intentions/{}", id)).json(),
        [source, destination, ..] => {
            let all: Option<Vec<Intention>> = agent.get("/v1/connect/intentions").json()?;
            let matches =
                |one: &Intention| one.source_name == *source && one.destination_name == *destination;
            all.unwrap_or_default().into_iter().find(matches).ok_or_else(|| {
                CallError::Other(format!(
                    "Intention with source {source:?} and destination {destination:?} not found."
                ))
            })
        }
        [] => Err(CallError::Other("no intention was named".to_owned())),
    }
}
