//! `consul config delete`.

use super::{KIND, NAME, required};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "delete",
    synopsis: "Remove an entry",
    usage: "[options] -kind <kind> -name <name>",
    about: "Removes one configuration entry. One that is not there counts as removed.",
    http: Http::Cluster,
    flags: &[
        KIND,
        NAME,
        Flag::switch("cas", "Remove only if the entry's modify index still is -modify-index."),
        Flag::uint("modify-index", "Modify index that -cas compares with."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let [kind, name] = required(flags, ["kind", "name"])?;
    let (cas, index) = (flags.switch("cas"), flags.uint("modify-index"));
    match (cas, index) {
        (true, 0) => return Err(Failure::new("Must specify a -modify-index greater than 0 with -cas")),
        (false, 1..) => return Err(Failure::new("Cannot specify -modify-index without -cas")),
        _ => {}
    }
    let agent = Agent::connect(invocation)?;
    let mut call = agent.delete(format!("/v1/config/{}/{}", kind, name));
    if cas {
        call = call.query("cas", index.to_string());
    }
    let reply = call.send().map_err(Failure::of(format!("Error deleting config entry {kind}/{name}: ")))?;
    if cas && reply.text().trim() != "true" {
        return Err(Failure::new(format!("Config entry not deleted: {kind}/{name}")));
    }
    output::done(&format!("Config entry deleted: {kind}/{name}"))
}
