//! `consul join`: puts the agent into a cluster.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "join",
    synopsis: "Make the agent join a cluster",
    usage: "[options] address ...",
    about: "Tells the agent to join the cluster that the agents at these addresses belong to. One reachable address \
            is enough to succeed.

    $ consul join 10.0.0.1 10.0.0.2",
    http: Http::Agent,
    flags: &[Flag::switch("wan", "Join the servers of other datacenters; only between servers.")],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let addresses = &invocation.flags.args;
    if addresses.is_empty() {
        return Err(Failure::usage("At least one address to join must be specified."));
    }
    let agent = Agent::connect(invocation)?;
    let mut joined = 0;
    for address in addresses {
        let mut call = agent.put(format!("/v1/agent/join/{}", address));
        if invocation.flags.switch("wan") {
            call = call.query("wan", "1");
        }
        match call.send() {
            Ok(_) => joined += 1,
            Err(error) => print_error(&format!("Error joining address '{address}': {error}")),
        }
    }
    if joined == 0 {
        return Err(Failure::new("Failed to join any nodes."));
    }
    output::done(&format!("Successfully joined cluster by contacting {joined} nodes."))
}
