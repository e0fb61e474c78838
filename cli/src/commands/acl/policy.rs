//! `consul acl policy`: named sets of rules.

use consul_api::types::acl::{AclPolicy, AclToken};

use super::resolve::{self, Kind};
use super::{FORMAT, META, View, missing, path, put, require, show};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::{input, output};

pub static COMMAND: Command = Command::group(
    "policy",
    "Manage policies",
    "A policy is a named set of rules. Tokens and roles link to policies.

    $ consul acl policy create -name=web -rules=@web.hcl",
    &[&CREATE, &DELETE, &LIST, &READ, &UPDATE],
);

const ID: Flag = Flag::text("id", "Id of the policy, or a unique start of it.").shown_as("id");
const NAME: Flag = Flag::text("name", "Name of the policy.").shown_as("name");
const DESCRIPTION: Flag = Flag::text("description", "What the policy is for.");
const RULES: Flag = Flag::text("rules", "The rules; @ and a file name, or a dash for standard input.");
const DATACENTERS: Flag =
    Flag::list("valid-datacenter", "Datacenter where the policy counts; by default all.");
const FROM_TOKEN: Flag =
    Flag::text("from-token", "Take and translate the rules of this token of before 1.4.");
const TOKEN_SECRET: Flag = Flag::switch("token-secret", "-from-token is a secret id, not an accessor id.");

static CREATE: Command = Command {
    name: "create",
    synopsis: "Make a policy",
    usage: "-name NAME [options]",
    about: "Makes a policy.

    $ consul acl policy create -name=web -rules=@web.hcl",
    http: Http::Cluster,
    flags: &[NAME, DESCRIPTION, RULES, DATACENTERS, FROM_TOKEN, TOKEN_SECRET, FORMAT, META, NAMESPACE],
    body: Body::Leaf(create),
};

static READ: Command = Command {
    name: "read",
    synopsis: "Print a policy",
    usage: "[options]",
    about: "Prints a policy, found by id or by name.",
    http: Http::Cluster,
    flags: &[ID, NAME, FORMAT, META, NAMESPACE],
    body: Body::Leaf(read),
};

static UPDATE: Command = Command {
    name: "update",
    synopsis: "Change a policy",
    usage: "[options]",
    about: "Changes what is given and keeps the rest; with -no-merge the policy is replaced as a whole. With -id, \
            -name is the new name.",
    http: Http::Cluster,
    flags: &[
        ID,
        NAME,
        DESCRIPTION,
        RULES,
        DATACENTERS,
        Flag::switch("no-merge", "Replace the policy; what is not given becomes empty."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(update),
};

static DELETE: Command = Command {
    name: "delete",
    synopsis: "Remove a policy",
    usage: "[options]",
    about: "Removes a policy, found by id or by name. Tokens and roles lose it at once.",
    http: Http::Cluster,
    flags: &[ID, NAME, NAMESPACE],
    body: Body::Leaf(delete),
};

static LIST: Command = Command {
    name: "list",
    synopsis: "List the policies",
    usage: "[options]",
    about: "Prints all policies, without their rules.",
    http: Http::Cluster,
    flags: &[FORMAT, META, NAMESPACE],
    body: Body::Leaf(list),
};

fn create(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if flags.text("name").is_empty() {
        return Err(missing(invocation, "Missing require '-name' flag"));
    }
    if !flags.text("from-token").is_empty() && !flags.text("rules").is_empty() {
        return Err(Failure::new("Cannot specify both -rules and -from-token"));
    }
    let view = View::new(flags)?;
    let rules = rules(invocation)?;
    let agent = Agent::connect(invocation)?;
    let rules = match flags.text("from-token") {
        "" => rules,
        token => translated(&agent, token, flags.switch("token-secret"))?,
    };
    let policy = AclPolicy {
        name: flags.text("name").to_owned(),
        description: flags.text("description").to_owned(),
        datacenters: super::links::present(flags.list("valid-datacenter")),
        rules,
        ..AclPolicy::default()
    };
    let made =
        put(&agent, "/v1/acl/policy", &policy).map_err(Failure::of("Failed to create new policy: "))?;
    view.one(&made, show::policy)
}

fn rules(invocation: &Invocation) -> Result<String, Failure> {
    input::load_text(invocation.flags.text("rules")).map_err(Failure::of("Error loading rules: "))
}

fn translated(agent: &Agent, token: &str, is_secret: bool) -> Result<String, Failure> {
    let failed = || Failure::of("Error translating rules of the token: ");
    let call = if is_secret {
        agent.get("/v1/acl/token/self").acting_as(token)
    } else {
        let id = resolve::id(agent, Kind::Token, token).map_err(failed())?;
        agent.get(path("token", id))
    };
    let token: AclToken = call.json().map_err(failed())?;
    let call = agent.post("/v1/acl/rules/translate").body(token.rules.into_bytes());
    Ok(call.send().map_err(failed())?.text())
}

/// Fails unless one of `-id` and `-name` was given.
fn check_named(invocation: &Invocation, text: &str) -> Result<(), Failure> {
    let flags = &invocation.flags;
    if flags.text("id").is_empty() && flags.text("name").is_empty() {
        return Err(Failure::new(text));
    }
    Ok(())
}

fn find(invocation: &Invocation, agent: &Agent) -> Result<String, Failure> {
    let flags = &invocation.flags;
    resolve::by_id_or_name(agent, Kind::Policy, flags.text("id"), flags.text("name"))
}

fn read(invocation: &Invocation) -> Outcome {
    check_named(invocation, "Must specify either the -id or -name parameters")?;
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    let reply = agent.get(path("policy", &id)).send();
    view.one(&reply.map_err(Failure::of(format!("Error reading policy {id:?}: ")))?, show::policy)
}

fn update(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation, "Must specify either the -id or -name parameters")?;
    let view = View::new(flags)?;
    let rules = rules(invocation)?;
    if flags.switch("no-merge") {
        require(invocation, "name")?;
    }
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    let mut policy = AclPolicy { id: id.clone(), ..AclPolicy::default() };
    if !flags.switch("no-merge") {
        policy = agent
            .get(path("policy", &id))
            .json()
            .map_err(Failure::of("Error when retrieving current policy: "))?;
    }
    if let Some(name) = flags.text_if_set("name") {
        policy.name = name.to_owned();
    }
    if let Some(description) = flags.text_if_set("description") {
        policy.description = description.to_owned();
    }
    if flags.is_set("rules") {
        policy.rules = rules;
    }
    if flags.is_set("valid-datacenter") {
        policy.datacenters = Some(flags.list("valid-datacenter"));
    }
    let updating = Failure::of(format!("Error updating policy {id:?}: "));
    view.one(&put(&agent, path("policy", &id), &policy).map_err(updating)?, show::policy)
}

fn delete(invocation: &Invocation) -> Outcome {
    check_named(invocation, "Must specify the -id or -name parameters")?;
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    let deleting = Failure::of(format!("Error deleting policy {id:?}: "));
    agent.delete(path("policy", &id)).send().map_err(deleting)?;
    output::done(&format!("Policy {id:?} deleted successfully"))
}

fn list(invocation: &Invocation) -> Outcome {
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let reply = agent.get("/v1/acl/policies").send();
    view.many(&reply.map_err(Failure::of("Failed to retrieve the policy list: "))?, show::policies)
}
