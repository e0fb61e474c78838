//! `consul acl binding-rule`: what those get whom an auth method lets in.

use consul_api::types::acl::AclBindingRule;

use super::resolve::{self, Kind};
use super::{FORMAT, META, View, path, put, require, show};
use crate::agent::{Agent, Reply};
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command::group(
    "binding-rule",
    "Manage binding rules",
    "A binding rule says what a token gets that an auth method gives, for those whom its selector fits.

    $ consul acl binding-rule create -method=ci -bind-name=builder",
    &[&CREATE, &DELETE, &LIST, &READ, &UPDATE],
);

const ID: Flag = Flag::text("id", "Id of the binding rule, or a unique start of it.").shown_as("id");
const DESCRIPTION: Flag = Flag::text("description", "What the binding rule is for.");
const BIND_NAME: Flag =
    Flag::text("bind-name", "Name to bind to; may take parts from the identity, as in ${name}.")
        .shown_as("name");
const SELECTOR: Flag =
    Flag::text("selector", "Expression that the identity must satisfy.").shown_as("expression");
const BIND_TYPE: Flag = Flag::text("bind-type", "What -bind-name names: service, role, node or policy.");

static CREATE: Command = Command {
    name: "create",
    synopsis: "Make a binding rule",
    usage: "-method NAME -bind-name NAME [options]",
    about: "Makes a binding rule for an auth method.",
    http: Http::Cluster,
    flags: &[
        Flag::text("method", "Name of the auth method; required.").shown_as("name"),
        BIND_TYPE.or("service"),
        BIND_NAME,
        SELECTOR,
        DESCRIPTION,
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(create),
};

static READ: Command = Command {
    name: "read",
    synopsis: "Print a binding rule",
    usage: "-id ID [options]",
    about: "Prints a binding rule.",
    http: Http::Cluster,
    flags: &[ID, FORMAT, META, NAMESPACE],
    body: Body::Leaf(read),
};

static UPDATE: Command = Command {
    name: "update",
    synopsis: "Change a binding rule",
    usage: "-id ID [options]",
    about: "Changes what is given and keeps the rest; with -no-merge everything but the method is replaced.",
    http: Http::Cluster,
    flags: &[
        ID,
        BIND_TYPE,
        BIND_NAME,
        SELECTOR,
        DESCRIPTION,
        Flag::switch("no-merge", "Replace the binding rule; what is not given becomes empty."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(update),
};

static DELETE: Command = Command {
    name: "delete",
    synopsis: "Remove a binding rule",
    usage: "-id ID [options]",
    about: "Removes a binding rule. Tokens that were given by it stay.",
    http: Http::Cluster,
    flags: &[ID, NAMESPACE],
    body: Body::Leaf(delete),
};

static LIST: Command = Command {
    name: "list",
    synopsis: "List the binding rules",
    usage: "[options]",
    about: "Prints all binding rules, or those of one auth method.",
    http: Http::Cluster,
    flags: &[
        Flag::text("method", "Only rules of this auth method.").shown_as("name"),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(list),
};

fn create(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let method = require(invocation, "method")?;
    require(invocation, "bind-type")?;
    require(invocation, "bind-name")?;
    let view = View::new(flags)?;
    let mut rule = AclBindingRule {
        auth_method: method.to_owned(),
        bind_type: flags.text("bind-type").to_owned(),
        ..AclBindingRule::default()
    };
    apply(&mut rule, flags);
    let agent = Agent::connect(invocation)?;
    let made = put(&agent, "/v1/acl/binding-rule", &rule)
        .map_err(Failure::of("Failed to create new binding rule: "))?;
    view.one(&made, show::binding_rule)
}

/// Takes over what the flags give.
fn apply(rule: &mut AclBindingRule, flags: &Parsed) {
    let texts = [
        ("bind-type", &mut rule.bind_type),
        ("bind-name", &mut rule.bind_name),
        ("selector", &mut rule.selector),
        ("description", &mut rule.description),
    ];
    for (flag, field) in texts {
        if let Some(text) = flags.text_if_set(flag) {
            text.clone_into(field);
        }
    }
}

fn find(invocation: &Invocation, agent: &Agent) -> Result<String, Failure> {
    let given = invocation.flags.text("id");
    resolve::id(agent, Kind::BindingRule, given).map_err(Failure::of("Error determining binding rule ID: "))
}

fn check_named(invocation: &Invocation, text: &str) -> Result<(), Failure> {
    match invocation.flags.text("id") {
        "" => Err(Failure::new(text)),
        _ => Ok(()),
    }
}

fn current(agent: &Agent, id: &str) -> Result<Reply, Failure> {
    let reading = Failure::of(format!("Error reading binding rule {id:?}: "));
    let found = agent.get(path("binding-rule", id)).optional().map_err(reading)?;
    found.ok_or_else(|| Failure::new(format!("Binding rule not found with ID {id:?}")))
}

fn read(invocation: &Invocation) -> Outcome {
    check_named(invocation, "Must specify the -id parameter.")?;
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    view.one(&current(&agent, &id)?, show::binding_rule)
}

fn update(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    check_named(invocation, "Cannot update a binding rule without specifying the -id parameter")?;
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    let mut rule: AclBindingRule = current(&agent, &id)?.json().map_err(Failure::of(""))?;
    if flags.switch("no-merge") {
        rule = AclBindingRule { id: rule.id, auth_method: rule.auth_method, ..AclBindingRule::default() };
    }
    apply(&mut rule, flags);
    let updating = Failure::of(format!("Error updating binding rule {id:?}: "));
    view.one(&put(&agent, path("binding-rule", &id), &rule).map_err(updating)?, show::binding_rule)
}

fn delete(invocation: &Invocation) -> Outcome {
    check_named(invocation, "Must specify the -id parameter")?;
    let agent = Agent::connect(invocation)?;
    let id = find(invocation, &agent)?;
    let deleting = Failure::of(format!("Error deleting binding rule {id:?}: "));
    agent.delete(path("binding-rule", &id)).send().map_err(deleting)?;
    output::done(&format!("Binding rule {id:?} deleted successfully"))
}

fn list(invocation: &Invocation) -> Outcome {
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let call =
        agent.get("/v1/acl/binding-rules").query_unless_empty("authmethod", invocation.flags.text("method"));
    let reply = call.send().map_err(Failure::of("Failed to retrieve the binding rule list: "))?;
    view.many(&reply, show::binding_rules)
}
