//! `consul force-leave`: declares a failed member gone.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;

pub static COMMAND: Command = Command {
    name: "force-leave",
    synopsis: "Declare a failed member to have left",
    usage: "[options] name",
    about: "Moves a failed member to the state \"left\" instead of waiting until it is reaped. A member that is \
            alive objects and stays. A server of another datacenter is called node.datacenter.",
    http: Http::Agent,
    flags: &[
        Flag::switch("prune", "Take the member off the list altogether."),
        Flag::switch("wan", "Only look among the servers of all datacenters."),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let [name] = invocation.flags.args.as_slice() else {
        return Err(Failure::usage("A single node name must be specified to force leave."));
    };
    let agent = Agent::connect(invocation)?;
    let mut call = agent.put(format!("/v1/agent/force-leave/{}", name));
    for flag in ["prune", "wan"] {
        if invocation.flags.switch(flag) {
            call = call.query(flag, "1");
        }
    }
    call.send().map_err(Failure::of("Error force leaving: "))?;
    Ok(Exit::SUCCESS)
}
