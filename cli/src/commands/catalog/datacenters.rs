//! `consul catalog datacenters`.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "datacenters",
    synopsis: "List the known datacenters",
    usage: "[options]",
    about: "Prints the names of all known datacenters, the nearest first.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let agent = Agent::connect(invocation)?;
    let names: Vec<String> =
        agent.get("/v1/catalog/datacenters").json().map_err(Failure::of("Error listing datacenters: "))?;
    for name in names {
        output::print_line(&name)?;
    }
    Ok(Exit::SUCCESS)
}
