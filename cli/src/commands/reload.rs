//! `consul reload`: makes the agent read its configuration again.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "reload",
    synopsis: "Make the agent reload its configuration files",
    usage: "[options]",
    about: "Makes the agent read its configuration files again and apply what can change without a restart. If they \
            contain an error the agent keeps what it has.",
    http: Http::Agent,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let agent = Agent::connect(invocation)?;
    agent.put("/v1/agent/reload").send().map_err(Failure::of("Error reloading: "))?;
    output::done("Configuration reload triggered")
}
