//! `consul snapshot save`.

use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{file_argument, progress, unpack};
use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "save",
    synopsis: "Save a snapshot to a file",
    usage: "[options] FILE",
    about: "Saves the state of the datacenter to FILE, which only its owner can read. The archive is verified before \
            it takes the place of FILE. With -stale any server may deliver it, even without a leader.

    $ consul snapshot save backup.snap",
    http: Http::Cluster,
    flags: &[Flag::text(
        "append-filename",
        "Facts to add to the file's name, separated by commas: version, dc, node, status.",
    )
    .shown_as("list")],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let file = file_argument(invocation)?;
    let agent = Agent::connect(invocation)?;
    let target = match invocation.flags.text("append-filename") {
        "" => file.to_owned(),
        wanted => named_after_facts(&agent, file, wanted)?,
    };
    let unwritable = |error: std::io::Error| {
        Failure::new(format!("Error writing unverified snapshot file: {}", input::reason(&error)))
    };
    // Beside the target, so that taking its place is one step; readable by the owner alone.
    let mut unverified = NamedTempFile::new_in(folder(&target)).map_err(unwritable)?;
    let index = download(&agent, &mut unverified)?;
    unverified.as_file().sync_all().map_err(unwritable)?;
    let copy = unverified.reopen().map_err(unwritable)?;
    unpack(copy).map_err(Failure::of("Error verifying snapshot file: "))?;
    unverified.persist(&target).map_err(|error| {
        Failure::new(format!(
            "Error renaming snapshot file: {}",
            input::describe("rename", &target, &error.error)
        ))
    })?;
    output::done(&format!("Saved and verified snapshot to index {index}"))
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn download(agent: &Agent, file: &mut NamedTempFile) -> Result<u64, Failure> {
    let bar = progress::bar("Saving", None);
    let index = agent.get("/v1/snapshot").download(&mut |chunk| {
        bar.inc(chunk.len() as u64);
        file.write_all(chunk)
    });
    bar.finish_and_clear();
    let index = index.map_err(Failure::of("Error saving snapshot: "))?;
    file.rewind()?;
    Ok(index)
}

/// `name-version-dc-node-status.ext`, of which only what is wanted, always in this order.
fn named_after_facts(agent: &Agent, file: &Path, wanted: &str) -> Result<PathBuf, Failure> {
    let wanted: Vec<&str> = wanted.split(',').map(str::trim).collect();
    if let Some(unknown) = wanted.iter().find(|word| !matches!(**word, "version" | "dc" | "node" | "status"))
    {
        return Err(Failure::new(format!(
            "Error saving snapshot: cannot append {unknown:?} to the file name"
        )));
    }
    let own: Result<Value, CallError> = agent.get("/v1/agent/self").json();
    let own = own.map_err(Failure::of("Error connecting to Consul agent and fetching operational data: "))?;
    let config = |name: &str| own["Config"][name].as_str().unwrap_or_default().to_owned();
    let leads = own["Stats"]["consul"]["leader"].as_str() == Some("true");
    let facts = [
        ("version", config("Version")),
        ("dc", config("Datacenter")),
        ("node", config("NodeName")),
        ("status", if leads { "leader" } else { "follower" }.to_owned()),
    ];
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    for (_, value) in facts.iter().filter(|(fact, _)| wanted.contains(fact)) {
        name.push("-");
        name.push(value);
    }
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    Ok(file.with_file_name(name))
}
