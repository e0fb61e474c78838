//! `consul logout`: destroys a token that `login` got.

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};

pub static COMMAND: Command = Command {
    name: "logout",
    synopsis: "Destroy a token made by login",
    usage: "[options]",
    about: "Destroys the token given by -token or -token-file. Only tokens made by \"consul login\" can be destroyed \
            this way.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    if !invocation.flags.args.is_empty() {
        return Err(Failure::new("Should have no non-flag arguments."));
    }
    let agent = Agent::connect(invocation)?;
    agent.post("/v1/acl/logout").send().map_err(Failure::of("Error destroying token: "))?;
    Ok(Exit::SUCCESS)
}
