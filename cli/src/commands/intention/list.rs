//! `consul intention list`.

use consul_api::types::intention::Intention;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "list",
    synopsis: "List the intentions",
    usage: "[options]",
    about: "Prints all intentions, those first that decide first. Without any the exit status is 2.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let agent = Agent::connect(invocation)?;
    let listing = Failure::of("Failed to retrieve the intentions list: ");
    let found: Option<Vec<Intention>> = agent.get("/v1/connect/intentions").json().map_err(listing)?;
    let found = found.unwrap_or_default();
    if found.is_empty() {
        print_error("There are no intentions.");
        return Ok(Exit::NEGATIVE);
    }
    let head = ["ID", "Source", "Action", "Destination", "Precedence"].map(str::to_owned).to_vec();
    let row = |one: Intention| {
        vec![one.id, one.source_name, one.action, one.destination_name, one.precedence.to_string()]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(found.into_iter().map(row)).collect();
    output::print(&output::columns(&rows))?;
    Ok(Exit::SUCCESS)
}
