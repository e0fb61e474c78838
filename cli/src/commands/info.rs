//! `consul info`: the agent's own figures.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "info",
    synopsis: "Print the agent's internal figures",
    usage: "[options]",
    about: "Prints figures about the agent for whoever looks for the cause of a problem: its build, its raft and \
            gossip state, its resources.",
    http: Http::Agent,
    flags: &[],
    body: Body::Leaf(run),
};

#[derive(Deserialize)]
struct AgentSelf {
    #[serde(rename = "Stats", default)]
    stats: BTreeMap<String, BTreeMap<String, String>>,
}

fn run(invocation: &Invocation) -> Outcome {
    let agent = Agent::connect(invocation)?;
    let found: AgentSelf =
        agent.get("/v1/agent/self").json().map_err(Failure::of("Error querying agent: "))?;
    let mut text = String::new();
    for (section, figures) in found.stats {
        text.push_str(&format!("{section}:\n"));
        for (name, value) in figures {
            text.push_str(&format!("\t{name} = {value}\n"));
        }
    }
    output::print(&text)?;
    Ok(Exit::SUCCESS)
}
