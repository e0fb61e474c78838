//! `consul acl bootstrap`: the first token.

use serde_json::json;

use super::{FORMAT, View, show};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::input;

pub static COMMAND: Command = Command {
    name: "bootstrap",
    synopsis: "Make the first token",
    usage: "[options] [SECRET]",
    about: "Makes a token that may do everything. This works once for a datacenter; keep what it prints. The secret \
            id is random unless a file with one is given (a single dash for standard input).",
    http: Http::Cluster,
    flags: &[FORMAT],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let args = invocation.at_most(1)?;
    let view = View::new(&invocation.flags)?;
    let secret = args.first().map(|source| read_secret(source)).transpose()?;
    let agent = Agent::connect(invocation)?;
    let failed = || Failure::of("Failed ACL bootstrapping: ");
    let mut call = agent.put("/v1/acl/bootstrap");
    if let Some(secret) = secret {
        call = call.json_body(&json!({ "BootstrapSecret": secret })).map_err(failed())?;
    }
    let reply = call.send().map_err(failed())?;
    view.one(&reply, show::token)
}

fn read_secret(source: &str) -> Result<String, Failure> {
    let bytes = match source {
        "-" => input::stdin().map_err(|error| input::reason(&error)),
        path => input::read_file(path.as_ref()),
    };
    let text = bytes.and_then(input::into_text);
    text.map(|text| text.trim().to_owned()).map_err(Failure::of("Error reading bootstrap token: "))
}
