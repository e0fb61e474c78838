//! `consul intention create`.

use consul_api::types::intention::Intention;
use serde_json::{Value, json};

use super::find;
use crate::agent::{Agent, CallError};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "create",
    synopsis: "Make an intention",
    usage: "[options] SRC DST | -file FILE...",
    about:
        "Makes an intention that allows, or with -deny forbids, SRC to connect to DST; or one from each file.

    $ consul intention create -deny web db",
    http: Http::Cluster,
    flags: &[
        Flag::switch("allow", "Allow the connection; the default."),
        Flag::switch("deny", "Forbid the connection."),
        Flag::switch("file", "The arguments are files with an intention in JSON each."),
        Flag::pairs("meta", "Metadata of the intention."),
        Flag::switch("replace", "Replace an intention for the same services."),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if flags.switch("allow") && flags.switch("deny") {
        return Err(Failure::new("Only one of -allow or -deny may be specified."));
    }
    let intentions = wanted(flags).map_err(Failure::of("Error: "))?;
    let agent = Agent::connect(invocation)?;
    for intention in intentions {
        let names = [&intention["SourceName"], &intention["DestinationName"]];
        let [source, destination] = names.map(|name| name.as_str().unwrap_or_default().to_owned());
        let action = intention["Action"].as_str().unwrap_or_default();
        let shown = format!("{source} => {destination} ({action})");
        let failed = || Failure::of::<CallError>(format!("Error creating intention {shown:?}: "));
        let old = match flags.switch("replace") {
            true => existing(&agent, [source, destination]).map_err(failed())?,
            false => None,
        };
        if let Some(old) = old {
            let call = agent.put(format!("/v1/connect/intentions/{}", old.id));
            call.json_body(&intention).and_then(|call| call.send()).map_err(failed())?;
            continue;
        }
        let call = agent.post("/v1/connect/intentions").json_body(&intention);
        call.and_then(|call| call.send()).map_err(failed())?;
        output::print_line(&format!("Created: {shown}"))?;
    }
    Ok(Exit::SUCCESS)
}

fn wanted(flags: &Parsed) -> Result<Vec<Value>, String> {
    if flags.switch("file") {
        let read = |file: &String| {
            let bytes = input::read_file(file.as_ref())?;
            serde_json::from_slice::<Value>(&bytes).map_err(|error| error.to_string())
        };
        return flags.args.iter().map(read).collect();
    }
    let [source, destination] = flags.args.as_slice() else {
        return Err("Must specify two arguments: source and destination".to_owned());
    };
    let action = if flags.switch("deny") { "deny" } else { "allow" };
    Ok(vec![json!({
        "SourceName": source,
        "DestinationName": destination,
        "SourceType": "consul",
        "Action": action,
        "Meta": flags.pairs("meta"),
    })])
}

fn existing(agent: &Agent, names: [String; 2]) -> Result<Option<Intention>, CallError> {
    match find(agent, &names) {
        Ok(found) => Ok(Some(found)),
        Err(CallError::Other(text)) if text.ends_with("not found.") => Ok(None),
        Err(error) => Err(error),
    }
}
