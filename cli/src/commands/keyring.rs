//! `consul keyring`: the keys that encrypt gossip.

use std::collections::BTreeMap;

use consul_api::types::operator::KeyringResponse;
use serde_json::json;

use crate::agent::{Agent, Call};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::{help, output};

pub static COMMAND: Command = Command {
    name: "keyring",
    synopsis: "Manage the keys of gossip encryption",
    usage: "[options]",
    about: "Lists and changes the keys that encrypt gossip, on all members at once. To rotate: install a new key, \
            use it, remove the old one. Works through servers only; one action at a time.

    $ consul keyring -list
    $ consul keyring -install=$(consul keygen)",
    http: Http::Agent,
    flags: &[
        Flag::switch("list", "List the keys and how many members have each."),
        Flag::switch("list-primary", "List the keys in use for sending."),
        Flag::text("install", "Add this key, without using it yet.").shown_as("key"),
        Flag::text("use", "Encrypt with this key from now on; it must be installed.").shown_as("key"),
        Flag::text("remove", "Forget this key; not possible for the one in use.").shown_as("key"),
        Flag::switch("local-only", "Ask only the agent's own datacenter, only when listing."),
        Flag::int("relay-factor", "Send answers through this many other members as well, from 0 to 5.").or("0"),
    ],
    body: Body::Leaf(run),
};

const RELAYS_MAX: i64 = 5;

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let lists = ["list", "list-primary"].iter().filter(|name| flags.switch(name)).count();
    let changes = ["install", "use", "remove"].iter().filter(|name| !flags.text(name).is_empty()).count();
    if lists + changes > 1 {
        return Err(Failure::new("Only a single action is allowed"));
    }
    if lists + changes == 0 {
        return Err(Failure::new(help::leaf(&invocation.path, invocation.command)));
    }
    if !(0..=RELAYS_MAX).contains(&flags.int("relay-factor")) {
        return Err(Failure::new("Error parsing relay factor: Relay factor must be in range: [0, 5]"));
    }
    if flags.switch("local-only") && changes > 0 {
        let why = "local-only can only be set for list requests";
        return Err(Failure::new(format!("Error validating local-only: {why}")));
    }
    let agent = Agent::connect(invocation)?;
    if lists > 0 { list(&agent, flags) } else { change(&agent, flags) }
}

fn with_options<'a>(call: Call<'a>, flags: &Parsed) -> Call<'a> {
    let call = match flags.int("relay-factor") {
        0 => call,
        relays => call.query("relay-factor", relays.to_string()),
    };
    if flags.switch("local-only") { call.query("local-only", "true") } else { call }
}

fn list(agent: &Agent, flags: &Parsed) -> Outcome {
    let primary = flags.switch("list-primary");
    output::print_line(match primary {
        true => "==> Gathering installed primary encryption keys...",
        false => "==> Gathering installed encryption keys...",
    })?;
    let call = with_options(agent.get("/v1/operator/keyring"), flags);
    let pools: Vec<KeyringResponse> = call.json().map_err(Failure::of("error: "))?;
    for pool in &pools {
        let keys = if primary { &pool.primary_keys } else { &pool.keys };
        output::print(&pool_text(pool, keys))?;
    }
    Ok(Exit::SUCCESS)
}

fn pool_text(pool: &KeyringResponse, keys: &BTreeMap<String, i64>) -> String {
    let segment = if pool.segment.is_empty() { String::new() } else { format!(" [{}]", pool.segment) };
    let mut text = match pool.wan {
        true => "\nWAN:\n".to_owned(),
        false => format!("\n{} (LAN){segment}:\n", pool.datacenter),
    };
    for (node, message) in pool.messages.iter().flatten() {
        text.push_str(&format!("  ===> {node}: {message}\n"));
    }
    for (key, holders) in keys {
        text.push_str(&format!("  {key} [{holders}/{}]\n", pool.num_nodes));
    }
    text
}

fn change(agent: &Agent, flags: &Parsed) -> Outcome {
    let path = "/v1/operator/keyring";
    let (title, call, key) = if flags.is_set("install") {
        ("Installing new gossip encryption key", agent.post(path), flags.text("install"))
    } else if flags.is_set("use") {
        ("Changing primary gossip encryption key", agent.put(path), flags.text("use"))
    } else {
        ("Removing gossip encryption key", agent.delete(path), flags.text("remove"))
    };
    output::print_line(&format!("==> {title}..."))?;
    let call = with_options(call, flags).json_body(&json!({ "Key": key })).map_err(Failure::of("error: "))?;
    call.send().map_err(Failure::of("error: "))?;
    Ok(Exit::SUCCESS)
}
