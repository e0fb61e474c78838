//! `consul catalog nodes`.

use consul_api::types::StringMap;
use consul_api::types::catalog::{Node, ServiceNode};

use crate::agent::{Agent, Call, CallError};
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "nodes",
    synopsis: "List the nodes of a datacenter",
    usage: "[options]",
    about: "Prints the nodes of a datacenter, all of them or those that run a service.

    $ consul catalog nodes -node-meta=zone=a
    $ consul catalog nodes -service=web",
    http: Http::Cluster,
    flags: &[
        Flag::switch("detailed", "Print whole ids, tagged addresses and metadata."),
        Flag::text("filter", "Expression that the rows must satisfy, as in the HTTP API.")
            .shown_as("expression"),
        Flag::text("near", "Sort by round trip from this node; _agent for the agent's own.").shown_as("node"),
        Flag::pairs("node-meta", "Only nodes with this metadata."),
        Flag::text("service", "Only nodes that run this service, once for each instance.").shown_as("name"),
    ],
    body: Body::Leaf(run),
};

/// The characters of an id that the short table shows.
const SHORT_ID: usize = 8;

fn run(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let agent = Agent::connect(invocation)?;
    let nodes = nodes(&agent, invocation).map_err(Failure::of("Error listing nodes: "))?;
    if nodes.is_empty() {
        print_error("No nodes match the given query - try expanding your search.");
        return Ok(Exit::SUCCESS);
    }
    output::print(&output::columns(&table(&nodes, invocation.flags.switch("detailed"))))?;
    Ok(Exit::SUCCESS)
}

fn nodes(agent: &Agent, invocation: &Invocation) -> Result<Vec<Node>, CallError> {
    let flags = &invocation.flags;
    let narrow = |call: Call<'_>| {
        let call = call.query_unless_empty("near", flags.text("near"));
        let call = call.query_unless_empty("filter", flags.text("filter"));
        let metadata = flags.pairs("node-meta");
        let found: Result<_, _> = metadata
            .iter()
            .fold(call, |call, (key, value)| call.query("node-meta", format!("{key}:{value}")))
            .send();
        found
    };
    let service = flags.text("service");
    if service.is_empty() {
        let found: Option<Vec<Node>> = narrow(agent.get("/v1/catalog/nodes"))?.json()?;
        return Ok(found.unwrap_or_default());
    }
    let call = agent.get(format!("/v1/catalog/service/{}", service));
    let found: Option<Vec<ServiceNode>> = narrow(call)?.json()?;
    let node = |row: ServiceNode| Node {
        id: row.id,
        node: row.node,
        address: row.address,
        datacenter: row.datacenter,
        tagged_addresses: row.tagged_addresses,
        meta: row.node_meta,
        create_index: row.create_index,
        modify_index: row.modify_index,
    };
    Ok(found.unwrap_or_default().into_iter().map(node).collect())
}

fn table(nodes: &[Node], detailed: bool) -> Vec<Vec<String>> {
    let head: &[&str] = match detailed {
        true => &["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"],
        false => &["Node", "ID", "Address", "DC"],
    };
    let mut rows = vec![head.iter().map(ToString::to_string).collect()];
    for node in nodes {
        let id = if detailed { node.id.clone() } else { node.id.chars().take(SHORT_ID).collect() };
        let mut row = vec![node.node.clone(), id, node.address.clone(), node.datacenter.clone()];
        if detailed {
            row.push(joined(node.tagged_addresses.as_ref()));
            row.push(joined(node.meta.as_ref()));
        }
        rows.push(row);
    }
    rows
}

fn joined(map: Option<&StringMap>) -> String {
    let pairs: Vec<String> = map.into_iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(", ")
}
