//! `consul intention check`.

use serde::Deserialize;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "check",
    synopsis: "Tell whether a connection is allowed",
    usage: "[options] SRC DST",
    about: "Tells whether SRC may connect to DST. The exit status is 0 if it may, 1 if not and 2 if the question made \
            no sense.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    allowed: bool,
}

fn run(invocation: &Invocation) -> Outcome {
    let negative = |text: String| Failure::WithStatus(Exit::NEGATIVE, text);
    let [source, destination] = invocation.flags.args.as_slice() else {
        return Err(negative("Error: command requires exactly two arguments: src and dst".to_owned()));
    };
    let agent = Agent::connect(invocation)?;
    let call = agent.get("/v1/connect/intentions/check");
    let call = call.query("source", source).query("destination", destination).query("source-type", "consul");
    let answer: Answer =
        call.json().map_err(|error| negative(format!("Error checking the connection: {error}")))?;
    if answer.allowed {
        return output::done("Allowed");
    }
    output::print_line("Denied")?;
    Ok(Exit::FAILURE)
}
