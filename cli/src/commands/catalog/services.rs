//! `consul catalog services`.

use std::collections::{BTreeMap, BTreeSet};

use consul_api::types::catalog::NodeServices;

use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "services",
    synopsis: "List the services of a datacenter",
    usage: "[options]",
    about: "Prints the names of the services of a datacenter, or of one node.

    $ consul catalog services -tags
    $ consul catalog services -node=web-1",
    http: Http::Cluster,
    flags: &[
        Flag::text("node", "Only services on the node with this name or id.").shown_as("node"),
        Flag::pairs("node-meta", "Only services on nodes with this metadata."),
        Flag::switch("tags", "Print each service's tags."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

type Services = BTreeMap<String, BTreeSet<String>>;

fn run(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let flags = &invocation.flags;
    let agent = Agent::connect(invocation)?;
    let node = flags.text("node");
    let services = if node.is_empty() {
        in_datacenter(&agent, invocation).map_err(Failure::of("Error listing services: "))?
    } else {
        on_node(&agent, node).map_err(Failure::of("Error listing services for node: "))?
    };
    if services.is_empty() {
        print_error("No services match the given query - try expanding your search.");
        return Ok(Exit::SUCCESS);
    }
    if flags.switch("tags") {
        let row =
            |(name, tags): (String, BTreeSet<String>)| (name, tags.into_iter().collect::<Vec<_>>().join(","));
        output::print(&output::pairs(&services.into_iter().map(row).collect::<Vec<_>>()))?;
    } else {
        output::print(&services.keys().map(|name| format!("{name}\n")).collect::<String>())?;
    }
    Ok(Exit::SUCCESS)
}

fn in_datacenter(agent: &Agent, invocation: &Invocation) -> Result<Services, CallError> {
    let mut call = agent.get("/v1/catalog/services");
    for (key, value) in invocation.flags.pairs("node-meta") {
        call = call.query("node-meta", format!("{key}:{value}"));
    }
    let found: BTreeMap<String, Option<BTreeSet<String>>> = call.json()?;
    Ok(found.into_iter().map(|(name, tags)| (name, tags.unwrap_or_default())).collect())
}

fn on_node(agent: &Agent, node: &str) -> Result<Services, CallError> {
    let found: Option<NodeServices> = agent.get(format!("/v1/catalog/node/{}", node)).json()?;
    let mut services = Services::new();
    for service in found.into_iter().flat_map(|found| found.services.into_values()) {
        services.entry(service.service).or_default().extend(service.tags.unwrap_or_default());
    }
    Ok(services)
}
