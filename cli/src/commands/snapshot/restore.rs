//! `consul snapshot restore`.

use super::progress::{self, Counted};
use super::{file_argument, open};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "restore",
    synopsis: "Restore a snapshot from a file",
    usage: "[options] FILE",
    about: "Replaces the state of the datacenter by the one in FILE. Everything written since then is lost. Meant \
            for disasters; the servers check the archive before they touch anything.

    $ consul snapshot restore backup.snap",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let file = open(file_argument(invocation)?)?;
    let len = file.metadata().ok().map(|metadata| metadata.len());
    let agent = Agent::connect(invocation)?;
    let bar = progress::bar("Restoring", len);
    let restored = agent.put("/v1/snapshot").upload(Counted { inner: file, bar: bar.clone() });
    bar.finish_and_clear();
    restored.map_err(Failure::of("Error restoring snapshot: "))?;
    output::done("Restored snapshot")
}
