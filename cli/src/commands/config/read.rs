//! `consul config read`.

use serde_json::Value;

use super::{KIND, NAME, required};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "read",
    synopsis: "Print an entry",
    usage: "[options] -kind <kind> -name <name>",
    about: "Prints one configuration entry as JSON.",
    http: Http::Cluster,
    flags: &[KIND, NAME, NAMESPACE],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let [kind, name] = required(&invocation.flags, ["kind", "name"])?;
    let agent = Agent::connect(invocation)?;
    let call = agent.get(format!("/v1/config/{}/{}", kind, name));
    let entry: Value =
        call.json().map_err(Failure::of(format!("Error reading config entry {kind}/{name}: ")))?;
    output::done(&output::json(&entry, output::FOUR_SPACES))
}
