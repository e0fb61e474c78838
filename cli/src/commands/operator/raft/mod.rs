//! `consul operator raft`: the servers of the quorum.

mod offline;

use std::collections::BTreeMap;

use consul_api::types::operator::{RaftConfiguration, RaftServer};

use super::connect;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static COMMAND: Command = Command::group(
    "raft",
    "List and change the servers of the quorum",
    "The servers that replicate this datacenter's state among themselves. The last resort when most of them are lost is \
     recover, which works on the data of a server that does not run.

    $ consul operator raft list-peers
    $ consul operator raft remove-peer -address=10.0.0.3:8300",
    &[&offline::INSPECT, &LIST_PEERS, &offline::RECOVER, &REMOVE_PEER, &TRANSFER_LEADER],
);

static LIST_PEERS: Command = Command {
    name: "list-peers",
    synopsis: "List the servers of the quorum",
    usage: "[options]",
    about: "Prints the servers of the quorum: who leads, who votes. With -stale any server answers, which helps \
            while there is no leader.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(list_peers),
};

static REMOVE_PEER: Command = Command {
    name: "remove-peer",
    synopsis: "Remove a server from the quorum",
    usage: "[options]",
    about: "Removes a server that will not come back, by id or by address. A server that is only out of order for a \
            while should stay; one that can still be reached should leave by itself.",
    http: Http::Cluster,
    flags: &[
        Flag::text("address", "Address of the server, host:port.").shown_as("address"),
        Flag::text("id", "Id of the server.").shown_as("id"),
    ],
    body: Body::Leaf(remove_peer),
};

static TRANSFER_LEADER: Command = Command {
    name: "transfer-leader",
    synopsis: "Make another server the leader",
    usage: "[options]",
    about: "Asks the leader to hand over to the given server, or to the one that is most up to date.",
    http: Http::Cluster,
    flags: &[Flag::text("id", "Id of the server that shall lead.").shown_as("id")],
    body: Body::Leaf(transfer_leader),
};

fn list_peers(invocation: &Invocation) -> Outcome {
    let agent = connect(invocation)?;
    let retrieving = "Error getting peers: Failed to retrieve raft configuration: ";
    let found: RaftConfiguration =
        agent.get("/v1/operator/raft/configuration").json().map_err(Failure::of(retrieving))?;
    output::print(&output::columns(&table(&found.servers)))?;
    Ok(Exit::SUCCESS)
}

/// Six columns, as scripts split them.
fn table(servers: &[RaftServer]) -> Vec<Vec<String>> {
    let head = ["Node", "ID", "Address", "State", "Voter", "RaftProtocol"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for server in servers {
        let state = if server.leader { "leader" } else { "follower" };
        let protocol = if server.protocol_version.is_empty() { "<=1" } else { &server.protocol_version };
        let voter = server.voter.to_string();
        rows.push(
            [&server.node, &server.id, &server.address, state, voter.as_str(), protocol]
                .map(str::to_owned)
                .to_vec(),
        );
    }
    rows
}

fn remove_peer(invocation: &Invocation) -> Outcome {
    let removing = |why: &str| Failure::new(format!("Error removing peer: {why}"));
    let (id, address) = (invocation.flags.text("id"), invocation.flags.text("address"));
    let (name, value) = match (id.is_empty(), address.is_empty()) {
        (true, true) => return Err(removing("an address or id is required for the peer to remove")),
        (false, false) => return Err(removing("cannot give both an address and id")),
        (false, true) => ("id", id),
        (true, false) => ("address", address),
    };
    let agent = connect(invocation)?;
    let call = agent.delete("/v1/operator/raft/peer").query(name, value);
    call.send().map_err(|error| removing(&error.to_string()))?;
    output::done(&format!("Removed peer with {name} {value:?}"))
}

fn transfer_leader(invocation: &Invocation) -> Outcome {
    let agent = connect(invocation)?;
    let call = agent.post("/v1/operator/raft/transfer-leader");
    let failed = Failure::of("Error transfering leadership: ");
    let answer: BTreeMap<String, serde_json::Value> =
        call.query_unless_empty("id", invocation.flags.text("id")).json().map_err(failed)?;
    if answer.get("Success").and_then(serde_json::Value::as_bool) == Some(false) {
        return Err(Failure::new("Error transfering leadership: the leader did not hand over"));
    }
    output::done("Success")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_protocol_is_an_old_one() {
        let leader = RaftServer { node: "a".into(), leader: true, voter: true, ..RaftServer::default() };
        assert_eq!(table(&[leader])[1], ["a", "", "", "leader", "true", "<=1"]);
    }
}
