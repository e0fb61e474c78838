//! `consul acl role`: named sets of policies.

use consul_api::types::acl::AclRole;

use super::links::{self, NODE_IDENTITY, POLICY_ID, POLICY_NAME, SERVICE_IDENTITY};
use super::resolve::{self, Kind};
use super::{FORMAT, META, View, missing, path, put, show};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command::group(
    "role",
    "Manage roles",
    "A role is a named set of policies and identities that many tokens can share.

    $ consul acl role create -name=web -policy-name=web-read",
    &[&CREATE, &DELETE, &LIST, &READ, &UPDATE],
);

const ID: Flag = Flag::text("id", "Id of the role, or a unique start of it.").shown_as("id");
const NAME: Flag = Flag::text("name", "Name of the role.").shown_as("name");
const DESCRIPTION: Flag = Flag::text("description", "What the role is for.");

static CREATE: Command = Command {
    name: "create",
    synopsis: "Make a role",
    usage: "-name NAME [options]",
    about: "Makes a role with at least one policy or identity.

    $ consul acl role create -name=web -policy-name=web-read",
    http: Http::Cluster,
    flags: &[
        NAME,
        DESCRIPTION,
        POLICY_ID,
        POLICY_NAME,
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
    synopsis: "Print a role",
    usage: "[options]",
    about: "Prints a role, found by id or by name.",
    http: Http::Cluster,
    flags: &[ID, NAME, FORMAT, META, NAMESPACE],
    body: Body::Leaf(read),
};

static UPDATE: Command = Command {
    name: "update",
    synopsis: "Change a role",
    usage: "-id ID [options]",
    about: "Changes what is given: lists grow, texts are replaced. With -no-merge the role is replaced as a whole.",
    http: Http::Cluster,
    flags: &[
        ID,
        NAME,
        DESCRIPTION,
        POLICY_ID,
        POLICY_NAME,
        SERVICE_IDENTITY,
        NODE_IDENTITY,
        Flag::switch("no-merge", "Replace the role; what is not given becomes empty."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(update),
};

static DELETE: Command = Command {
    name: "delete",
    synopsis: "Remove a role",
    usage: "[options]",
    about: "Removes a role, found by id or by name. Tokens lose it at once.",
    http: Http::Cluster,
    flags: &[ID, NAME, NAMESPACE],
    body: Body::Leaf(delete),
};

static LIST: Command = Command {
    name: "list",
    synopsis: "List the roles",
    usage: "[options]",
    about: "Prints all roles with what they carry.",
    http: Http::Cluster,
    flags: &[FORMAT, META, NAMESPACE],
    body: Body::Leaf(list),
};

/// Puts what the flags carry on top of what the role has.
fn extend(role: &mut AclRole, agent: &Agent, flags: &Parsed) -> Result<(), Failure> {
    let more = links::links(agent, Kind::Policy, flags, "policy-id", "policy-name")?;
    let policies = role.policies.get_or_insert_default();
    links::add(policies, more);
    links::add_services(role.service_identities.get_or_insert_default(), links::service_identities(flags)?);
    links::add_nodes(role.node_identities.get_or_insert_default(), links::node_identities(flags)?);
    role.policies = role.policies.take().and_then(links::present);
    role.service_identities = role.service_identities.take().and_then(links::present);
    role.node_identities = role.node_identities.take().and_then(links::present);
    Ok(())
}

fn create(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if flags.text("name").is_empty() {
        return Err(missing(invocation, "Missing require '-name' flag"));
    }
    let carries = ["policy-id", "policy-name", "service-identity", "node-identity"];
    if !carries.iter().any(|name| flags.is_set(name)) {
        return Err(missing(
            invocation,
            "Cannot create a role without specifying -policy-name, -policy-id, -service-identity, or \
             -node-identity at least once",
        ));
    }
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let mut role = AclRole {
        name: flags.text("name").to_owned(),
        description: flags.text("description").to_owned(),
        ..AclRole::default()
    };
    extend(&mut role, &agent, flags)?;
    let made = put(&agent, "/v1/acl/role", &role).map_err(Failure::of("Failed to create new role: "))?;
    view.one(&made, show::role)
}

fn check_named(invocation: &Invocation) -> Result<(), Failure> {
    let flags = &invocation.flags;
    if flags.text("id").is_empty() && flags.text("name").is_empty() {
        return Err(Failure::new("Must specify the -id or -name parameters"));
    }
    Ok(())
}

fn read(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation)?;
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let (id, name) = (flags.text("id"), flags.text("name"));
    let (call, shown) = if id.is_empty() {
        (agent.get(path("role/name", name)), format!("name {name:?}"))
    } else {
        let id = resolve::by_id_or_name(&agent, Kind::Role, id, name)?;
        (agent.get(path("role", &id)), format!("ID {id:?}"))
    };
    match call.optional().map_err(Failure::of(format!("Error reading role with {shown}: ")))? {
        Some(reply) => view.one(&reply, show::role),
        None => Err(Failure::new(format!("Role not found with {shown}"))),
    }
}

fn update(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if flags.text("id").is_empty() {
        return Err(Failure::new("Cannot update a role without specifying the -id parameter"));
    }
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let id = resolve::by_id_or_name(&agent, Kind::Role, flags.text("id"), "")?;
    let mut role = AclRole { id: id.clone(), ..AclRole::default() };
    if !flags.switch("no-merge") {
        let reading = Failure::of("Error when retrieving current role: ");
        let found = agent.get(path("role", &id)).optional().map_err(&reading)?;
        let found = found.ok_or_else(|| Failure::new(format!("Role not found with ID {id:?}")))?;
        role = found.json().map_err(reading)?;
    }
    if let Some(name) = flags.text_if_set("name") {
        role.name = name.to_owned();
    }
    if let Some(description) = flags.text_if_set("description") {
        role.description = description.to_owned();
    }
    extend(&mut role, &agent, flags)?;
    let updating = Failure::of(format!("Error updating role {id:?}: "));
    view.one(&put(&agent, path("role", &id), &role).map_err(updating)?, show::role)
}

fn delete(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation)?;
    let agent = Agent::connect(invocation)?;
    let id = resolve::by_id_or_name(&agent, Kind::Role, flags.text("id"), flags.text("name"))?;
    let deleting = Failure::of(format!("Error deleting role {id:?}: "));
    agent.delete(path("role", &id)).send().map_err(deleting)?;
    output::done(&format!("Role {id:?} deleted successfully"))
}

fn list(invocation: &Invocation) -> Outcome {
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let reply = agent.get("/v1/acl/roles").send();
    view.many(&reply.map_err(Failure::of("Failed to retrieve the role list: "))?, show::roles)
}
