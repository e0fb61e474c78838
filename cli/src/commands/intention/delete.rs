//! `consul intention delete`.

use super::find;
use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "delete",
    synopsis: "Remove an intention",
    usage: "[options] SRC DST | ID",
    about: "Removes an intention, found by its services or by its id.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    if !matches!(args.len(), 1 | 2) {
        return Err(Failure::new("Error: command requires exactly 1 or 2 arguments"));
    }
    let agent = Agent::connect(invocation)?;
    let id = match args.as_slice() {
        [id] => id.clone(),
        _ => find(&agent, args).map_err(Failure::of("Error: "))?.id,
    };
    let deleting = Failure::of::<CallError>("Error deleting the intention: ");
    agent.delete(format!("/v1/connect/intentions/{}", &id)).send().map_err(deleting)?;
    output::done("Intention deleted.")
}
