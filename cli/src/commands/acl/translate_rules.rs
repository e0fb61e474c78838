//! `consul acl translate-rules`: rules of the oldest language in the present one.

use consul_api::types::acl::AclToken;

use super::path;
use super::resolve::{self, Kind};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "translate-rules",
    synopsis: "Translate rules of before 1.4",
    usage: "[options] TRANSLATE",
    about: "Prints rules of the language before version 1.4 in the present one. TRANSLATE is the rules, or @ and a \
            file, or a dash for standard input, or with an option a token that holds them.",
    http: Http::Cluster,
    flags: &[
        Flag::switch("token-accessor", "TRANSLATE is the accessor id of a token."),
        Flag::switch("token-secret", "TRANSLATE is the secret id of a token."),
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let [given] = flags.args.as_slice() else {
        return Err(Failure::new("Error! Missing TRANSLATE argument"));
    };
    if flags.switch("token-accessor") && flags.switch("token-secret") {
        return Err(Failure::new("Error - cannot specify both -token-secret and -token-accessor"));
    }
    let agent = Agent::connect(invocation)?;
    let rules = if flags.switch("token-accessor") {
        let id = resolve::id(&agent, Kind::Token, given).map_err(Failure::of("Error reading token: "))?;
        rules_of(&agent, &id)?
    } else if flags.switch("token-secret") {
        rules_of_secret(&agent, given)?
    } else {
        input::load_text(given).map_err(Failure::of("Error! "))?
    };
    let call = agent.post("/v1/acl/rules/translate").body(rules.into_bytes());
    let translated = call.send().map_err(Failure::of("Error while translating rules: "))?;
    output::print(&translated.text())?;
    Ok(Exit::SUCCESS)
}

fn rules_of(agent: &Agent, accessor: &str) -> Result<String, Failure> {
    let call = agent.get(path("token", accessor));
    let token: AclToken = call.json().map_err(Failure::of("Error reading token: "))?;
    Ok(token.rules)
}

/// There is no lookup by secret: the token is asked to describe itself.
fn rules_of_secret(agent: &Agent, secret: &str) -> Result<String, Failure> {
    let call = agent.get("/v1/acl/token/self").acting_as(secret);
    let token: AclToken = call.json().map_err(Failure::of("Error reading token: "))?;
    Ok(token.rules)
}
