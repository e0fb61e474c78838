//! `consul intention match`.

use std::collections::BTreeMap;

use consul_api::types::intention::Intention;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "match",
    synopsis: "List the intentions that concern a service",
    usage: "[options] SRC|DST",
    about: "Prints the intentions for connections to a service, or with -source from it, those first that decide \
            first.",
    http: Http::Cluster,
    flags: &[
        Flag::switch("destination", "The service is the one connected to; the default."),
        Flag::switch("source", "The service is the one that connects."),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let [name] = flags.args.as_slice() else {
        return Err(Failure::new("Error: command requires exactly one argument: src or dst"));
    };
    if flags.switch("source") && flags.switch("destination") {
        return Err(Failure::new("Error: only one of -source or -destination may be specified"));
    }
    let by = if flags.switch("source") { "source" } else { "destination" };
    let agent = Agent::connect(invocation)?;
    let call = agent.get("/v1/connect/intentions/match").query("by", by).query("name", name);
    let found: BTreeMap<String, Option<Vec<Intention>>> =
        call.json().map_err(Failure::of("Error matching the connection: "))?;
    for one in found.into_values().flatten().flatten() {
        output::print_line(&format!("{} => {} ({})", one.source_name, one.destination_name, one.action))?;
    }
    Ok(Exit::SUCCESS)
}
