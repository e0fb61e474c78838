//! `consul rtt`: how far apart two nodes are.

use consul_api::types::coordinate::{Coordinate, DatacenterCoordinates, NodeCoordinate};
use serde_json::Value;

use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command {
    name: "rtt",
    synopsis: "Estimate the round trip between two nodes",
    usage: "[options] node1 [node2]",
    about: "Estimates the network round trip between two nodes from the coordinates that agents compute while they \
            gossip. The second node is the agent's own unless it is named.

    $ consul rtt web-1 web-2
    $ consul rtt -wan server-1.dc1 server-1.dc2",
    http: Http::Agent,
    flags: &[Flag::switch("wan", "Compare servers of any datacenters; names are node.datacenter.")],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let args = &invocation.flags.args;
    let wan = invocation.flags.switch("wan");
    let [first, rest @ ..] = args.as_slice() else {
        return Err(Failure::usage("One or two node names must be specified"));
    };
    if rest.len() > 1 {
        return Err(Failure::usage("One or two node names must be specified"));
    }
    let agent = Agent::connect(invocation)?;
    let second = match rest.first() {
        Some(name) => name.clone(),
        None => own_name(&agent, wan).map_err(Failure::of("Unable to look up agent info: "))?,
    };
    let (a, b, pool) = if wan {
        let (a, b) = wan_pair(&agent, first, &second)?;
        (a, b, "WAN")
    } else {
        let (a, b) = lan_pair(&agent, first, &second)?;
        (a, b, "LAN")
    };
    let milliseconds = a.distance_to(&b) * 1000.0;
    output::done(&format!(
        "Estimated {first} <-> {second} rtt: {milliseconds:.3} ms (using {pool} coordinates)"
    ))
}

fn own_name(agent: &Agent, wan: bool) -> Result<String, CallError> {
    let own: Value = agent.get("/v1/agent/self").json()?;
    let text = |name: &str| own["Config"][name].as_str().unwrap_or_default().to_owned();
    let node = text("NodeName");
    Ok(if wan { format!("{node}.{}", text("Datacenter")) } else { node })
}

fn lan_pair(agent: &Agent, first: &str, second: &str) -> Result<(Coordinate, Coordinate), Failure> {
    let rows: Vec<NodeCoordinate> =
        agent.get("/v1/coordinate/nodes").json().map_err(Failure::of("Error getting coordinates: "))?;
    let all = |name: &str| -> Result<Vec<&NodeCoordinate>, Failure> {
        let found: Vec<_> = rows.iter().filter(|row| row.node == name).collect();
        if found.is_empty() { Err(missing(name)) } else { Ok(found) }
    };
    let (left, right) = (all(first)?, all(second)?);
    // Coordinates of different network segments cannot be compared.
    for a in &left {
        for b in right.iter().filter(|b| b.segment == a.segment) {
            if let (Some(a), Some(b)) = (&a.coord, &b.coord) {
                return Ok((a.clone(), b.clone()));
            }
        }
    }
    Err(Failure::new("Could not find a compatible coordinate for nodes"))
}

fn wan_pair(agent: &Agent, first: &str, second: &str) -> Result<(Coordinate, Coordinate), Failure> {
    let (first_node, first_dc) = split(first)?;
    let (second_node, second_dc) = split(second)?;
    let areas: Vec<DatacenterCoordinates> =
        agent.get("/v1/coordinate/datacenters").json().map_err(Failure::of("Error getting coordinates: "))?;
    // A server may be in several areas: both coordinates must come from the same one.
    let mut unknown = first;
    for area in areas.iter().filter(|area| area.datacenter == first_dc) {
        let Some(a) = find(area, first_node) else { continue };
        unknown = second;
        let same_area =
            areas.iter().filter(|other| other.area_id == area.area_id && other.datacenter == second_dc);
        if let Some(b) = same_area.filter_map(|other| find(other, second_node)).next() {
            return Ok((a, b));
        }
    }
    Err(missing(unknown))
}

fn find(area: &DatacenterCoordinates, node: &str) -> Option<Coordinate> {
    area.coordinates.iter().find(|row| row.node == node)?.coord.clone()
}

/// `node.datacenter`; node names may contain dots, datacenters may not.
fn split(name: &str) -> Result<(&str, &str), Failure> {
    name.rsplit_once('.')
        .ok_or_else(|| Failure::new("Node names must be specified as <node name>.<datacenter> with -wan"))
}

fn missing(name: &str) -> Failure {
    Failure::new(format!("Could not find a coordinate for node {name:?}"))
}
