//! `consul acl token`: what requests are judged by.

use consul_api::types::acl::{ANONYMOUS_TOKEN, AclToken};
use serde_json::json;

use super::links::{self, NODE_IDENTITY, POLICY_ID, POLICY_NAME, ROLE_ID, ROLE_NAME, SERVICE_IDENTITY};
use super::resolve::{self, Kind};
use super::{FORMAT, META, View, path, put, show};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command::group(
    "token",
    "Manage tokens",
    "Every request acts under a token: its secret id is sent with requests, its accessor id names it without giving \
     it away.

    $ consul acl token create -description=web -policy-name=web
    $ consul acl token list",
    &[&CLONE, &CREATE, &DELETE, &LIST, &READ, &UPDATE],
);

const ID: Flag = Flag::text("id", "Accessor id of the token, or a unique start of it.").shown_as("id");
const ACCESSOR_ID: Flag = Flag::text("accessor-id", "The same as -id.").shown_as("id");
const DESCRIPTION: Flag = Flag::text("description", "What the token is for.");

static CREATE: Command = Command {
    name: "create",
    synopsis: "Make a token",
    usage: "[options]",
    about: "Makes a token with at least one policy, role or identity.

    $ consul acl token create -policy-name=web -service-identity=web:dc1",
    http: Http::Cluster,
    flags: &[
        Flag::text("accessor", "Accessor id to use instead of a random one.").shown_as("uuid"),
        Flag::text("secret", "Secret id to use instead of a random one.").shown_as("uuid"),
        DESCRIPTION,
        Flag::duration("expires-ttl", "How long the token lives; by default for ever."),
        Flag::switch("local", "Keep the token within this datacenter."),
        POLICY_ID,
        POLICY_NAME,
        ROLE_ID,
        ROLE_NAME,
        SERVICE_IDENTITY,
        NODE_IDENTITY,
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(create),
};

static READ: Command = Command {
    name: "read",
    synopsis: "Print a token",
    usage: "[options]",
    about: "Prints a token with its secret id, or the one that the request itself uses.",
    http: Http::Cluster,
    flags: &[
        ID,
        ACCESSOR_ID,
        Flag::switch("self", "Print the token that this request uses."),
        Flag::switch("expanded", "Print the policies and roles behind the token too; as JSON."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(read),
};

static UPDATE: Command = Command {
    name: "update",
    synopsis: "Change a token",
    usage: "-id ID [options]",
    about: "Changes a token. Lists of policies, roles and identities are replaced by what is given, and emptied if \
            nothing is; the -merge- and -append- options add to them instead.",
    http: Http::Cluster,
    flags: &[
        ID,
        ACCESSOR_ID,
        DESCRIPTION,
        POLICY_ID,
        POLICY_NAME,
        ROLE_ID,
        ROLE_NAME,
        SERVICE_IDENTITY,
        NODE_IDENTITY,
        Flag::list("append-policy-id", "Policy to add, by id; the others stay.").shown_as("id"),
        Flag::list("append-policy-name", "Policy to add, by name; the others stay.").shown_as("name"),
        Flag::list("append-role-id", "Role to add, by id; the others stay.").shown_as("id"),
        Flag::list("append-role-name", "Role to add, by name; the others stay.").shown_as("name"),
        Flag::switch("merge-policies", "Add to the token's policies."),
        Flag::switch("merge-roles", "Add to the token's roles."),
        Flag::switch("merge-service-identities", "Add to the token's service identities."),
        Flag::switch("merge-node-identities", "Add to the token's node identities."),
        Flag::switch("upgrade-legacy", "Turn a token of before 1.4 into one of the present kind."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(update),
};

static CLONE: Command = Command {
    name: "clone",
    synopsis: "Copy a token",
    usage: "-id ID [options]",
    about: "Makes a token with new ids that may do what another may.",
    http: Http::Cluster,
    flags: &[ID, ACCESSOR_ID, DESCRIPTION, FORMAT, META, NAMESPACE],
    body: Body::Leaf(clone),
};

static DELETE: Command = Command {
    name: "delete",
    synopsis: "Remove a token",
    usage: "-id ID [options]",
    about: "Removes a token. Requests with it are refused from then on.",
    http: Http::Cluster,
    flags: &[ID, ACCESSOR_ID, NAMESPACE],
    body: Body::Leaf(delete),
};

static LIST: Command = Command {
    name: "list",
    synopsis: "List the tokens",
    usage: "[options]",
    about: "Prints all tokens, without their secret ids.",
    http: Http::Cluster,
    flags: &[FORMAT, META, NAMESPACE],
    body: Body::Leaf(list),
};

fn create(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let carries = ["policy-name", "policy-id", "role-name", "role-id", "service-identity", "node-identity"];
    if !carries.iter().any(|name| flags.is_set(name)) {
        return Err(Failure::new(
            "Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, \
             -service-identity, or -node-identity at least once",
        ));
    }
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let token = AclToken {
        accessor_id: flags.text("accessor").to_owned(),
        secret_id: flags.text("secret").to_owned(),
        description: flags.text("description").to_owned(),
        local: flags.switch("local"),
        expiration_ttl: flags.duration("expires-ttl"),
        policies: links::present(links::links(&agent, Kind::Policy, flags, "policy-id", "policy-name")?),
        roles: links::present(links::links(&agent, Kind::Role, flags, "role-id", "role-name")?),
        service_identities: links::present(links::service_identities(flags)?),
        node_identities: links::present(links::node_identities(flags)?),
        ..AclToken::default()
    };
    let made = put(&agent, "/v1/acl/token", &token).map_err(Failure::of("Failed to create new token: "))?;
    view.one(&made, show::token)
}

/// The id as typed, under either of its flags.
fn given_id(flags: &Parsed) -> &str {
    flags.text_if_set("accessor-id").unwrap_or_else(|| flags.text("id"))
}

fn find(agent: &Agent, given: &str) -> Result<String, Failure> {
    if given == "anonymous" {
        return Ok(ANONYMOUS_TOKEN.to_owned());
    }
    resolve::id(agent, Kind::Token, given).map_err(Failure::of("Error determining token ID: "))
}

fn check_named(invocation: &Invocation, text: &str) -> Result<(), Failure> {
    if given_id(&invocation.flags).is_empty() { Err(Failure::new(text)) } else { Ok(()) }
}

fn read(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let own = flags.switch("self");
    if !own {
        check_named(invocation, "Must specify the -id parameter")?;
    }
    let mut view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let (path, failed) = if own {
        ("/v1/acl/token/self".to_owned(), "Error reading token: ".to_owned())
    } else {
        let id = find(&agent, given_id(flags))?;
        (path("token", &id), format!("Error reading token {id:?}: "))
    };
    let mut call = agent.get(path);
    if flags.switch("expanded") {
        call = call.query("expanded", "true");
        view.format = super::Format::Json;
    }
    view.one(&call.send().map_err(Failure::of(failed))?, show::token)
}

fn update(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation, "Cannot update a token without specifying the -id parameter")?;
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let id = find(&agent, given_id(flags))?;
    let reading = Failure::of("Error when retrieving current token: ");
    let mut token: AclToken = agent.get(path("token", &id)).json().map_err(reading)?;
    if flags.switch("upgrade-legacy") {
        token.r#type.clear();
        token.rules.clear();
    }
    if let Some(description) = flags.text_if_set("description") {
        token.description = description.to_owned();
    }
    change(&mut token, &agent, flags)?;
    let updating = Failure::of(format!("Failed to update token {id}: "));
    view.one(&put(&agent, path("token", &id), &token).map_err(updating)?, show::token)
}

/// Replaces or extends each list, as the flags say.
fn change(token: &mut AclToken, agent: &Agent, flags: &Parsed) -> Result<(), Failure> {
    let policies = links::links(agent, Kind::Policy, flags, "policy-id", "policy-name")?;
    let more_policies = links::links(agent, Kind::Policy, flags, "append-policy-id", "append-policy-name")?;
    let roles = links::links(agent, Kind::Role, flags, "role-id", "role-name")?;
    let more_roles = links::links(agent, Kind::Role, flags, "append-role-id", "append-role-name")?;
    let services = links::service_identities(flags)?;
    let nodes = links::node_identities(flags)?;

    let keep = flags.switch("merge-policies") || !more_policies.is_empty();
    let mut list = start("policies", token.policies.take(), keep, policies.is_empty());
    links::add(&mut list, policies);
    links::add(&mut list, more_policies);
    token.policies = Some(list);

    let keep = flags.switch("merge-roles") || !more_roles.is_empty();
    let mut list = start("roles", token.roles.take(), keep, roles.is_empty());
    links::add(&mut list, roles);
    links::add(&mut list, more_roles);
    token.roles = Some(list);

    let (keep, none) = (flags.switch("merge-service-identities"), services.is_empty());
    let mut list = start("service identities", token.service_identities.take(), keep, none);
    links::add_services(&mut list, services);
    token.service_identities = Some(list);

    let (keep, none) = (flags.switch("merge-node-identities"), nodes.is_empty());
    let mut list = start("node identities", token.node_identities.take(), keep, none);
    links::add_nodes(&mut list, nodes);
    token.node_identities = Some(list);
    Ok(())
}

/// What a list starts from. That a list which nobody mentioned is emptied surprises people, so it is said.
fn start<T>(what: &str, have: Option<Vec<T>>, keep: bool, none_given: bool) -> Vec<T> {
    let have = have.unwrap_or_default();
    if keep {
        return have;
    }
    if none_given && !have.is_empty() {
        let count = have.len();
        print_error(&format!(
            "Warning: the token loses its {count} {what}; use the -merge options to keep them"
        ));
    }
    Vec::new()
}

fn clone(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation, "Cannot clone a token without specifying the -id parameter")?;
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let id = find(&agent, given_id(flags))?;
    let request = json!({ "Description": flags.text("description") });
    let reply = put(&agent, format!("{}/clone", path("token", &id)), &request);
    view.one(&reply.map_err(Failure::of("Error cloning token: "))?, show::token)
}

fn delete(invocation: &Invocation) -> Outcome {
    check_named(invocation, "Must specify the -id parameter")?;
    let agent = Agent::connect(invocation)?;
    let id = find(&agent, given_id(&invocation.flags))?;
    let deleting = Failure::of(format!("Error deleting token {id:?}: "));
    agent.delete(path("token", &id)).send().map_err(deleting)?;
    output::done(&format!("Token {id:?} deleted successfully"))
}

fn list(invocation: &Invocation) -> Outcome {
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let reply = agent.get("/v1/acl/tokens").send();
    view.many(&reply.map_err(Failure::of("Failed to retrieve the token list: "))?, show::tokens)
}
