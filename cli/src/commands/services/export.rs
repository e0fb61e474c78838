//! `consul services export`: lets other clusters use a service.

use serde_json::{Value, json};

use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "export",
    synopsis: "Export a service to other clusters",
    usage: "-name=NAME [options]",
    about: "Adds consumers of a service to the configuration entry that lists the exported services. The servers must \
            know that kind of entry.

    $ consul services export -name=web -consumer-peers=east,west",
    http: Http::Cluster,
    flags: &[
        Flag::text("name", "Service to export; required.").shown_as("name"),
        Flag::text("consumer-peers", "Peers that may use the service, separated by commas.").shown_as("names"),
        Flag::text("consumer-partitions", "Partitions that may use the service, separated by commas.")
            .shown_as("names"),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

const KIND: &str = "exported-services";
const NAME: &str = "default";

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    invocation.at_most(0)?;
    let name = flags.text("name");
    if name.is_empty() {
        return Err(Failure::new("Missing the required -name flag"));
    }
    let (peers, partitions) =
        (listed(flags.text("consumer-peers")), listed(flags.text("consumer-partitions")));
    if peers.is_empty() && partitions.is_empty() {
        return Err(Failure::new("Missing the required -consumer-peers or -consumer-partitions flag"));
    }
    let agent = Agent::connect(invocation)?;
    let reading = Failure::of(format!("Error reading config entry {KIND}/{NAME}: "));
    let known = agent.get(format!("/v1/config/{KIND}/{NAME}")).optional().map_err(reading)?;
    let mut entry = match known {
        Some(reply) => reply.json().map_err(Failure::of("Error reading config entry: "))?,
        None => json!({"Kind": KIND, "Name": NAME}),
    };
    let index = entry["ModifyIndex"].as_u64().unwrap_or(0);
    let consumers = [("Peer", &peers), ("Partition", &partitions)];
    let consumers = consumers.iter().flat_map(|(kind, names)| names.iter().map(|name| json!({*kind: name})));
    add(&mut entry, name, consumers.collect());
    let written = write(&agent, &entry, index);
    if !written.map_err(Failure::of(format!("Error writing config entry {KIND}/{NAME}: ")))? {
        return Err(Failure::new(format!(
            "Config entry was changed meanwhile and is not updated: {KIND}/{NAME}"
        )));
    }
    let consumers = [("peers", peers), ("partitions", partitions)];
    let consumers = consumers.iter().filter(|(_, names)| !names.is_empty());
    let consumers: Vec<String> =
        consumers.map(|(kind, names)| format!("{kind} {:?}", names.join(","))).collect();
    output::done(&format!("Successfully exported service {name:?} to {}", consumers.join(" and to ")))
}

fn listed(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

fn write(agent: &Agent, entry: &Value, index: u64) -> Result<bool, CallError> {
    let reply = agent.put("/v1/config").query("cas", index.to_string()).json_body(entry)?.send()?;
    Ok(reply.text().contains("true"))
}

/// Adds consumers of a service to an entry; those that it has already stay once.
fn add(entry: &mut Value, service: &str, consumers: Vec<Value>) {
    if !entry["Services"].is_array() {
        entry["Services"] = json!([]);
    }
    let Some(services) = entry["Services"].as_array_mut() else { return };
    let at = match services.iter().position(|known| known["Name"] == service) {
        Some(at) => at,
        None => {
            services.push(json!({"Name": service, "Consumers": []}));
            services.len() - 1
        }
    };
    let Some(exported) = services.get_mut(at) else { return };
    if !exported["Consumers"].is_array() {
        exported["Consumers"] = json!([]);
    }
    if let Some(known) = exported["Consumers"].as_array_mut() {
        for consumer in consumers {
            if !known.contains(&consumer) {
                known.push(consumer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_are_added_once() {
        let mut entry = json!({"Kind": KIND, "Services": [
            {"Name": "web", "Consumers": [{"Peer": "east"}]}, {"Name": "db", "Consumers": null}]});
        add(&mut entry, "web", vec![json!({"Peer": "east"}), json!({"Peer": "west"})]);
        add(&mut entry, "db", vec![json!({"Partition": "a"})]);
        add(&mut entry, "new", vec![json!({"Peer": "east"})]);
        assert_eq!(
            entry["Services"],
            json!([
                {"Name": "web", "Consumers": [{"Peer": "east"}, {"Peer": "west"}]},
                {"Name": "db", "Consumers": [{"Partition": "a"}]},
                {"Name": "new", "Consumers": [{"Peer": "east"}]},
            ])
        );
    }
}
