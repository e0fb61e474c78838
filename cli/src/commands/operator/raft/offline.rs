//! `consul operator raft inspect` and `recover`: a server's log while no agent runs on it.

use std::path::Path;

use consul_daemon::offline::{self, Inspection, Position, Recovered, StoredPeer};
use serde::Serialize;

use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::output;

pub static INSPECT: Command = Command {
    name: "inspect",
    synopsis: "Describe the log of a server that does not run",
    usage: "[options]",
    about: "Prints what a server has stored: which servers it takes for its cluster, and how far its log goes. Nothing \
            is changed. It is refused while an agent runs on the data directory.

    $ consul operator raft inspect -data-dir=/opt/consul",
    http: Http::None,
    flags: &[DATA_DIR, FORMAT],
    body: Body::Leaf(inspect),
};

pub static RECOVER: Command = Command {
    name: "recover",
    synopsis: "Make a new cluster after the quorum was lost",
    usage: "[options]",
    about: "When more than half of the servers are lost for good, the others cannot elect a leader any more. This \
            command tells a server who makes up its cluster from now on. Its data stay as they are; entries of the log \
            whose fate only the lost servers knew count as committed. What was there before is copied beside it first.\n\n\
            Stop the agents of all servers that are left. Run this command on each of them with the same list of servers, \
            and start them again. Without -peer the server is a cluster of its own, which others can then join with \
            empty data directories:

    $ consul operator raft recover -data-dir=/opt/consul

    $ consul operator raft recover -data-dir=/opt/consul \\
        -peer=c1a5...@10.0.0.1:8300 -peer=77f0...@10.0.0.2:8300\n\n\
            Ids and addresses are what \"consul operator raft inspect\" prints. It is refused while an agent runs on the data \
            directory.",
    http: Http::None,
    flags: &[
        DATA_DIR,
        FORMAT,
        Flag::list("non-voter", "Server that gets no vote for now..")
            .shown_as("id@address"),
        Flag::list("peer", "Server of the new cluster, its id and host:port..")
            .shown_as("id@address"),
    ],
    body: Body::Leaf(recover),
};

const DATA_DIR: Flag = Flag::text("data-dir", "Data directory of the server.").shown_as("path");
const FORMAT: Flag = Flag::text("format", "Output format: pretty or json.").or("pretty");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pretty,
    Json,
}

/// What both commands need.
fn basics(invocation: &Invocation) -> Result<(&Path, Format), Failure> {
    invocation.at_most(0)?;
    let format = match invocation.flags.text("format") {
        "pretty" => Format::Pretty,
        "json" => Format::Json,
        other => return Err(Failure::new(format!("Unknown format: {other}"))),
    };
    match invocation.flags.text("data-dir") {
        "" => Err(Failure::new("Missing required '-data-dir' flag")),
        path => Ok((Path::new(path), format)),
    }
}

fn inspect(invocation: &Invocation) -> Outcome {
    let (data_dir, format) = basics(invocation)?;
    let found = offline::inspect_log(data_dir).map_err(Failure::of("Error inspecting the raft log: "))?;
    if format == Format::Json {
        return output::done(&output::json(&document(&found), output::FOUR_SPACES));
    }
    output::print(&pretty(&found))?;
    Ok(Exit::SUCCESS)
}

fn recover(invocation: &Invocation) -> Outcome {
    let (data_dir, format) = basics(invocation)?;
    let (servers, without_vote) = (invocation.flags.list("peer"), invocation.flags.list("non-voter"));
    if servers.is_empty() && !without_vote.is_empty() {
        return Err(Failure::new("-non-voter needs at least one -peer that votes"));
    }
    let recovered = offline::recover_log(data_dir, &servers, &without_vote)
        .map_err(Failure::of("Error recovering the raft log: "))?;
    if format == Format::Json {
        return output::done(&output::json(&outcome(&recovered), output::FOUR_SPACES));
    }
    let text = format!(
        "Servers before:\n\n{}\nServers from now on:\n\n{}\nThe data as they were before are in {}\n\
         Start the agent again, after the other servers of this list were recovered with the same list.\n",
        table(&recovered.before),
        table(&recovered.after),
        recovered.backup.display()
    );
    output::print(&text)?;
    Ok(Exit::SUCCESS)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    term: u64,
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    #[serde(rename = "ID")]
    id: String,
    address: String,
    voter: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Snapshot {
    path: String,
    /// `null` if the file is missing.
    size: Option<u64>,
    last: Option<Place>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    format: i64,
    #[serde(rename = "ID")]
    id: Option<String>,
    term: u64,
    voted_for: Option<String>,
    elected: bool,
    first: Option<Place>,
    last: Option<Place>,
    committed_index: Option<u64>,
    snapshot: Option<Snapshot>,
    configuration_index: Option<u64>,
    servers: Vec<Server>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RecoveryOutcome {
    backup: String,
    before: Vec<Server>,
    after: Vec<Server>,
}

fn place(position: Position) -> Place {
    Place { term: position.term, index: position.index }
}

fn servers(stored: &[StoredPeer]) -> Vec<Server> {
    let server = |stored: &StoredPeer| Server {
        id: stored.peer.id.to_string(),
        address: stored.peer.address.clone(),
        voter: stored.voter,
    };
    stored.iter().map(server).collect()
}

fn document(found: &Inspection) -> Document {
    Document {
        format: found.format,
        id: found.server.map(|id| id.to_string()),
        term: found.term,
        voted_for: found.voted_for.map(|id| id.to_string()),
        elected: found.elected,
        first: found.first.map(place),
        last: found.last.map(place),
        committed_index: found.committed_index,
        snapshot: found.snapshot.as_ref().map(|snapshot| Snapshot {
            path: snapshot.path.display().to_string(),
            size: snapshot.bytes,
            last: snapshot.last.map(place),
        }),
        configuration_index: found.configuration_index,
        servers: servers(&found.servers),
    }
}

fn outcome(recovered: &Recovered) -> RecoveryOutcome {
    RecoveryOutcome {
        backup: recovered.backup.display().to_string(),
        before: servers(&recovered.before),
        after: servers(&recovered.after),
    }
}

fn pretty(found: &Inspection) -> String {
    let none = || "none".to_owned();
    let number = |number: Option<u64>| number.map_or_else(none, |number| number.to_string());
    let place = |position: Option<Position>| {
        position.map_or_else(none, |position| format!("{} (term {})", position.index, position.term))
    };
    let vote = match &found.voted_for {
        None => none(),
        Some(server) if found.elected => format!("{server} (elected)"),
        Some(server) => server.to_string(),
    };
    let snapshot = match &found.snapshot {
        None => none(),
        Some(snapshot) => {
            let size = snapshot.bytes.map_or_else(|| "missing".to_owned(), |bytes| format!("{bytes} bytes"));
            format!("{} ({size}, up to {})", snapshot.path.display(), place(snapshot.last))
        }
    };
    let rows = [
        ("ID", found.server.map_or_else(none, |id| id.to_string())),
        ("Term", found.term.to_string()),
        ("Voted For", vote),
        ("First Index", place(found.first)),
        ("Last Index", place(found.last)),
        ("Commit Index", number(found.committed_index)),
        ("Snapshot", snapshot),
        ("Configuration Index", number(found.configuration_index)),
    ];
    format!("{}\n{}", output::pairs(&rows), table(&found.servers))
}

fn table(stored: &[StoredPeer]) -> String {
    let mut rows = vec![["ID", "Address", "Voter"].map(str::to_owned).to_vec()];
    for server in servers(stored) {
        rows.push(vec![server.id, server.address, server.voter.to_string()]);
    }
    output::columns(&rows)
}
