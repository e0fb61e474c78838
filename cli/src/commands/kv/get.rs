//! `consul kv get`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use consul_api::types::kv::KvPair;

use super::Typed;
use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "get",
    synopsis: "Read a key, or everything below a prefix",
    usage: "[options] [KEY_OR_PREFIX]",
    about:
        "Prints the value of a key. With -recurse or -keys the argument is a prefix, by default the empty one.

    $ consul kv get redis/config/minconns
    $ consul kv get -detailed redis/config/minconns
    $ consul kv get -recurse redis/
    $ consul kv get -keys redis/",
    http: Http::Cluster,
    flags: &[
        Flag::switch("base64", "Print values in base64."),
        Flag::switch("detailed", "Also print the indexes, flags and session of each key."),
        Flag::switch("keys", "Print only the names of the keys below the prefix, cut at the separator."),
        Flag::switch("recurse", "Print every key below the prefix with its value."),
        Flag::text("separator", "Where -keys cuts names; empty to print them whole.").or("/"),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    invocation.at_most(1)?;
    let key = Typed::first(flags);
    let many = flags.switch("keys") || flags.switch("recurse");
    if key.is_empty() && !many {
        return Err(Failure::new("Error! Missing KEY argument"));
    }
    let agent = Agent::connect(invocation)?;
    let found = if flags.switch("keys") {
        names(&agent, &key, flags)
    } else if flags.switch("recurse") {
        entries(&agent, &key, flags)
    } else {
        single(&agent, &key, flags)
    };
    let text = found.map_err(|error| format!("Error querying Consul agent: {}", error.without_body()));
    match text.map_err(Failure::new)? {
        Some(bytes) => {
            print(&bytes)?;
            Ok(Exit::SUCCESS)
        }
        None => Err(Failure::new(format!("Error! No key exists at: {key}"))),
    }
}

fn print(bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn names(agent: &Agent, prefix: &Typed<'_>, flags: &Parsed) -> Result<Option<Vec<u8>>, CallError> {
    let call = agent.get(prefix.path()).query("keys", "");
    let Some(reply) = call.query("separator", flags.text("separator")).optional()? else {
        return Ok(Some(Vec::new()));
    };
    let names: Option<Vec<String>> = reply.json()?;
    Ok(Some(
        names.unwrap_or_default().iter().map(|name| format!("{name}\n")).collect::<String>().into_bytes(),
    ))
}

fn entries(agent: &Agent, prefix: &Typed<'_>, flags: &Parsed) -> Result<Option<Vec<u8>>, CallError> {
    let Some(reply) = agent.get(prefix.path()).query("recurse", "").optional()? else {
        return Ok(Some(Vec::new()));
    };
    let entries: Option<Vec<KvPair>> = reply.json()?;
    let mut out = Vec::new();
    for (at, entry) in entries.unwrap_or_default().iter().enumerate() {
        if flags.switch("detailed") {
            if at > 0 {
                out.push(b'\n');
            }
            push_details(&mut out, entry, flags);
        } else {
            out.extend_from_slice(entry.key.as_slice());
            out.push(b':');
            push_value(&mut out, entry, flags);
        }
    }
    Ok(Some(out))
}

fn single(agent: &Agent, key: &Typed<'_>, flags: &Parsed) -> Result<Option<Vec<u8>>, CallError> {
    let Some(reply) = agent.get(key.path()).optional()? else { return Ok(None) };
    let entries: Option<Vec<KvPair>> = reply.json()?;
    let Some(entry) = entries.unwrap_or_default().into_iter().next() else { return Ok(None) };
    let mut out = Vec::new();
    if flags.switch("detailed") {
        push_details(&mut out, &entry, flags);
    } else {
        push_value(&mut out, &entry, flags);
    }
    Ok(Some(out))
}

fn push_details(out: &mut Vec<u8>, entry: &KvPair, flags: &Parsed) {
    let session = if entry.session.is_empty() { "-" } else { &entry.session };
    let rows = [
        ("CreateIndex", entry.create_index.to_string()),
        ("Flags", entry.flags.to_string()),
        ("Key", entry.key.to_string()),
        ("LockIndex", entry.lock_index.to_string()),
        ("ModifyIndex", entry.modify_index.to_string()),
        ("Session", session.to_owned()),
        ("Value", String::new()),
    ];
    // The value comes last and byte for byte: it may hold anything.
    let table = output::pairs(&rows);
    out.extend_from_slice(table.trim_end_matches('\n').as_bytes());
    push_value(out, entry, flags);
}

fn push_value(out: &mut Vec<u8>, entry: &KvPair, flags: &Parsed) {
    if flags.switch("base64") {
        out.extend_from_slice(BASE64.encode(entry.value.as_slice()).as_bytes());
    } else {
        out.extend_from_slice(entry.value.as_slice());
    }
    out.push(b'\n');
}
