//! `consul leave`: takes the agent out of the cluster and stops it.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::{help, output};

pub static COMMAND: Command = Command {
    name: "leave",
    synopsis: "Leave the cluster and stop the agent",
    usage: "[options]",
    about: "Makes the agent say goodbye to the cluster, so that nobody takes it for failed, and then end.",
    http: Http::Agent,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    if !args.is_empty() {
        print_error(&format!("Error found unexpected args: [{}]", args.join(" ")));
        output::print_line(&help::leaf(&invocation.path, invocation.command))?;
        return Ok(Exit::FAILURE);
    }
    let agent = Agent::connect(invocation)?;
    agent.put("/v1/agent/leave").send().map_err(Failure::of("Error leaving: "))?;
    output::done("Graceful leave complete")
}
