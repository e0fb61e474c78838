//! `consul kv export`: a tree as JSON, for `import`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_api::types::kv::KvPair;

use super::{ExportEntry, Typed};
use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "export",
    synopsis: "Print a tree of keys as JSON",
    usage: "[options] [PREFIX]",
    about:
        "Prints every key below PREFIX, by default the whole store, as JSON that \"consul kv import\" reads.

    $ consul kv export redis/ > redis.json",
    http: Http::Cluster,
    flags: &[NAMESPACE],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    invocation.at_most(1)?;
    let agent = Agent::connect(invocation)?;
    let entries = entries(&agent, &Typed::first(&invocation.flags))
        .map_err(Failure::of("Error querying Consul agent: "))?;
    let exported: Vec<ExportEntry> = entries
        .into_iter()
        .map(|entry| ExportEntry {
            key: entry.key.to_string(),
            flags: entry.flags,
            value: BASE64.encode(entry.value.as_slice()),
        })
        .collect();
    output::done(&output::json(&exported, output::TAB))
}

fn entries(agent: &Agent, prefix: &Typed<'_>) -> Result<Vec<KvPair>, CallError> {
    let reply = agent.get(prefix.path()).query("recurse", "").optional()?;
    let entries: Option<Option<Vec<KvPair>>> = reply.map(|reply| reply.json()).transpose()?;
    Ok(entries.flatten().unwrap_or_default())
}
