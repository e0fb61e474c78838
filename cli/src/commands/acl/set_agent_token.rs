//! `consul acl set-agent-token`: tokens that the agent uses itself.

use serde_json::json;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::output;

pub static COMMAND: Command = Command {
    name: "set-agent-token",
    synopsis: "Set a token that the agent itself uses",
    usage: "[options] TYPE TOKEN",
    about: "Sets one of the agent's own tokens without a restart; an empty token clears it. Types: default (requests \
            without a token), agent (the agent's own work), recovery, also called master or agent_recovery (access \
            while no server answers), replication (copying from the primary datacenter), \
            config_file_service_registration (services from configuration files), dns (DNS queries).

    $ consul acl set-agent-token agent 4b2a6a2c-...",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let (kind, token) = match invocation.flags.args.as_slice() {
        [kind, token] => (kind, token),
        [] => return Err(Failure::new("Error! Missing TYPE and TOKEN arguments")),
        [_] => return Err(Failure::new("Error! Missing TOKEN argument")),
        more => {
            let count = more.len();
            return Err(Failure::new(format!("Error! Too many arguments (expected 2, got {count})")));
        }
    };
    let endpoint = match kind.as_str() {
        "default" => "default",
        "agent" => "agent",
        // The name that every release understands.
        "master" | "recovery" | "agent_recovery" => "agent_master",
        "replication" => "replication",
        "config_file_service_registration" => "config_file_service_registration",
        "dns" => "dns",
        _ => return Err(Failure::new("Unknown token type")),
    };
    let agent = Agent::connect(invocation)?;
    let failed = || Failure::of(format!("Failed to set ACL token {kind:?}: "));
    let call = agent.put(format!("/v1/agent/token/{endpoint}"));
    call.json_body(&json!({ "Token": token })).and_then(|call| call.send()).map_err(failed())?;
    output::done(&format!("ACL token {kind:?} set successfully"))
}
