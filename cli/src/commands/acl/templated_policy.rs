//! `consul acl templated-policy`: policies that are made from a name.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{FORMAT, META, View, path, require};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::input;

pub static COMMAND: Command = Command::group(
    "templated-policy",
    "Look at templated policies",
    "Templated policies are built into the servers: each makes the rules that a service, node or tool needs from its \
     name. Servers that have none answer with status 404.

    $ consul acl templated-policy list
    $ consul acl templated-policy preview -name=builtin/service -var=name:web",
    &[&LIST, &PREVIEW, &READ],
);

static LIST: Command = Command {
    name: "list",
    synopsis: "List templated policies",
    usage: "[options]",
    about: "Prints the names of all templated policies.",
    http: Http::Cluster,
    flags: &[FORMAT],
    body: Body::Leaf(list),
};

static READ: Command = Command {
    name: "read",
    synopsis: "Show a templated policy",
    usage: "-name=NAME [options]",
    about: "Prints the variables that a templated policy takes and the rules that it makes.",
    http: Http::Cluster,
    flags: &[Flag::text("name", "Name of the templated policy; required.").shown_as("name"), FORMAT],
    body: Body::Leaf(read),
};

static PREVIEW: Command = Command {
    name: "preview",
    synopsis: "Show the policy that a templated policy makes",
    usage: "-name=NAME -var=KEY:VALUE [options]",
    about: "Prints the policy that a templated policy makes from variables. Nothing is stored.",
    http: Http::Cluster,
    flags: &[
        Flag::text("name", "Name of the templated policy; required.").shown_as("name"),
        Flag::list("var", "Variable of the templated policy.").shown_as("key:value"),
        Flag::text("file", "JSON document with the variables, instead of -var.").shown_as("path"),
        FORMAT,
        META,
    ],
    body: Body::Leaf(preview),
};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TemplatedPolicy {
    template_name: String,
    description: String,
    schema: String,
    template: String,
}

fn list(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let failed = Failure::of("Failed to list the templated policies: ");
    let reply = agent.get("/v1/acl/templated-policies").send().map_err(failed)?;
    view.one(&reply, |policies: &BTreeMap<String, Value>, _| {
        policies.keys().map(|name| format!("{name}\n")).collect()
    })
}

fn read(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let view = View::new(&invocation.flags)?;
    let name = require(invocation, "name")?;
    let agent = Agent::connect(invocation)?;
    let failed = Failure::of(format!("Error reading templated policy {name:?}: "));
    let reply = agent.get(path("templated-policy/name", name)).send().map_err(failed)?;
    view.one(&reply, |policy: &TemplatedPolicy, _| {
        let mut text = format!("Name:         {}\n", policy.template_name);
        if !policy.description.is_empty() {
            text.push_str(&format!("Description:  {}\n", policy.description));
        }
        text + &format!("Schema:\n{}\n\nTemplate:\n{}\n", policy.schema, policy.template)
    })
}

fn preview(invocation: &Invocation) -> Outcome {
    invocation.at_most(0)?;
    let view = View::new(&invocation.flags)?;
    let name = require(invocation, "name")?;
    let variables = variables(invocation)?;
    let agent = Agent::connect(invocation)?;
    let call = agent.post(path("templated-policy/preview", name)).json_body(&variables);
    let failed = Failure::of(format!("Failed to preview templated policy {name:?}: "));
    let reply = call.and_then(|call| call.send()).map_err(failed)?;
    view.one(&reply, super::show::policy)
}

/// What the template is filled with: from `-var`, or from a file.
fn variables(invocation: &Invocation) -> Result<Map<String, Value>, Failure> {
    let given = invocation.flags.list("var");
    let file = invocation.flags.text("file");
    if !file.is_empty() {
        if !given.is_empty() {
            return Err(Failure::new("Cannot combine -file with -var"));
        }
        let bytes = input::read_file(file.as_ref()).map_err(Failure::of("Failed to read file: "))?;
        return serde_json::from_slice(&bytes).map_err(Failure::of("Failed to parse the variables: "));
    }
    let mut variables = Map::new();
    for pair in given {
        let Some((key, value)) = pair.split_once(':') else {
            return Err(Failure::new(format!("invalid value {pair:?} for flag -var: missing \":\"")));
        };
        variables.insert(capitalised(key), value.into());
    }
    Ok(variables)
}

/// The servers spell variables with a capital.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
