//! `consul config list`.

use serde_json::Value;

use super::{KIND, required};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "list",
    synopsis: "List the entries of a kind",
    usage: "[options] -kind <kind>",
    about: "Prints the names of all configuration entries of one kind.",
    http: Http::Cluster,
    flags: &[KIND, NAMESPACE],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let [kind] = required(&invocation.flags, ["kind"])?;
    let agent = Agent::connect(invocation)?;
    let call = agent.get(format!("/v1/config/{}", kind));
    let listing = Failure::of(format!("Error listing config entries for kind {kind:?}: "));
    let entries: Option<Vec<Value>> = call.json().map_err(listing)?;
    for entry in entries.unwrap_or_default() {
        output::print_line(entry["Name"].as_str().unwrap_or_default())?;
    }
    Ok(Exit::SUCCESS)
}
