//! `consul event`: sends a user event through the cluster.

use consul_api::types::event::UserEvent;

use crate::agent::{Agent, Call};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::{output, pattern};

pub static COMMAND: Command = Command {
    name: "event",
    synopsis: "Fire a user event",
    usage: "[options] [payload]",
    about:
        "Sends an event with a small payload to every agent of the datacenter, or to those that the filters \
            select. Watches of type \"event\" react to it. Delivery is best effort.

    $ consul event -name=deploy 1609030",
    http: Http::Agent,
    flags: &[Flag::text("name", "Name of the event; required."), NODE_FILTER, SERVICE_FILTER, TAG_FILTER],
    body: Body::Leaf(run),
};

pub const NODE_FILTER: Flag =
    Flag::text("node", "Only nodes whose name matches this regular expression.").shown_as("regexp");
pub const SERVICE_FILTER: Flag =
    Flag::text("service", "Only nodes with a service whose name matches this regular expression.")
        .shown_as("regexp");
pub const TAG_FILTER: Flag = Flag::text(
    "tag",
    "Only nodes where a service that -service selects has a tag matching this regular expression.",
)
.shown_as("regexp");

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let name = flags.text("name");
    if name.is_empty() {
        return Err(Failure::usage("Event name must be specified"));
    }
    if flags.args.len() > 1 {
        return Err(Failure::usage("Too many command line arguments."));
    }
    check_filters(flags)?;
    let agent = Agent::connect(invocation)?;
    let querying = || Failure::of("Error querying Consul agent: ");
    agent.get("/v1/agent/self").send().map_err(querying())?;
    let payload = flags.raw.first().map(|word| word.as_encoded_bytes().to_vec()).unwrap_or_default();
    let call = agent.put(format!("/v1/event/fire/{}", name)).body(payload);
    let event: UserEvent = with_filters(call, flags).json().map_err(Failure::of("Error firing event: "))?;
    output::done(&format!("Event ID: {}", event.id))
}

/// Refuses filters that no agent could apply.
pub fn check_filters(flags: &Parsed) -> Result<(), Failure> {
    if !flags.text("tag").is_empty() && flags.text("service").is_empty() {
        return Err(Failure::new("Cannot provide tag filter without service filter."));
    }
    for name in ["node", "service", "tag"] {
        pattern::compile(flags.text(name))
            .map_err(Failure::of(format!("Failed to compile {name} filter regexp: ")))?;
    }
    Ok(())
}

pub fn with_filters<'a>(call: Call<'a>, flags: &Parsed) -> Call<'a> {
    let call = call.query_unless_empty("node", flags.text("node"));
    let call = call.query_unless_empty("service", flags.text("service"));
    call.query_unless_empty("tag", flags.text("tag"))
}
