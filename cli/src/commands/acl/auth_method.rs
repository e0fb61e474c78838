//! `consul acl auth-method`: other systems whose word is taken.

use consul_api::types::acl::AclAuthMethod;
use serde_json::{Map, Value, json};

use super::{FORMAT, META, View, path, put, require, show};
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::{input, output};

pub static COMMAND: Command = Command::group(
    "auth-method",
    "Manage auth methods",
    "An auth method checks credentials of another system. Who passes gets a token by the method's binding rules.

    $ consul acl auth-method create -name=ci -type=jwt -config=@ci.json",
    &[&CREATE, &DELETE, &LIST, &READ, &UPDATE],
);

const NAME: Flag = Flag::text("name", "Name of the auth method; required.").shown_as("name");
const DESCRIPTION: Flag = Flag::text("description", "What the auth method is for.");
const DISPLAY_NAME: Flag = Flag::text("display-name", "Name that people see.");
const MAX_TTL: Flag = Flag::duration("max-token-ttl", "How long its tokens live at most.");
const LOCALITY: Flag =
    Flag::text("token-locality", "Whether its tokens are local or global.").shown_as("word");
const CONFIG: Flag =
    Flag::text("config", "Settings of the type as JSON; @ and a file name, or a dash for standard input.")
        .shown_as("json");
const K8S_HOST: Flag = Flag::text("kubernetes-host", "Address of the Kubernetes API server.").shown_as("url");
const K8S_CA: Flag =
    Flag::text("kubernetes-ca-cert", "PEM certificate of its authority; @ and a file name.").shown_as("pem");
const K8S_JWT: Flag =
    Flag::text("kubernetes-service-account-jwt", "Token to review other tokens with; @ and a file name.")
        .shown_as("jwt");

static CREATE: Command = Command {
    name: "create",
    synopsis: "Make an auth method",
    usage: "-name NAME -type TYPE [options]",
    about: "Makes an auth method.",
    http: Http::Cluster,
    flags: &[
        NAME,
        Flag::text("type", "Type of the auth method, such as kubernetes or jwt; required."),
        DESCRIPTION,
        DISPLAY_NAME,
        MAX_TTL,
        LOCALITY,
        CONFIG,
        K8S_HOST,
        K8S_CA,
        K8S_JWT,
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(create),
};

static READ: Command = Command {
    name: "read",
    synopsis: "Print an auth method",
    usage: "-name NAME [options]",
    about: "Prints an auth method with its settings.",
    http: Http::Cluster,
    flags: &[NAME, FORMAT, META, NAMESPACE],
    body: Body::Leaf(read),
};

static UPDATE: Command = Command {
    name: "update",
    synopsis: "Change an auth method",
    usage: "-name NAME [options]",
    about: "Changes what is given and keeps the rest; with -no-merge everything but the type is replaced.",
    http: Http::Cluster,
    flags: &[
        NAME,
        DESCRIPTION,
        DISPLAY_NAME,
        MAX_TTL,
        LOCALITY,
        CONFIG,
        K8S_HOST,
        K8S_CA,
        K8S_JWT,
        Flag::switch("no-merge", "Replace the auth method; what is not given becomes empty."),
        FORMAT,
        META,
        NAMESPACE,
    ],
    body: Body::Leaf(update),
};

static DELETE: Command = Command {
    name: "delete",
    synopsis: "Remove an auth method",
    usage: "-name NAME [options]",
    about: "Removes an auth method, its binding rules and the tokens it gave.",
    http: Http::Cluster,
    flags: &[NAME, NAMESPACE],
    body: Body::Leaf(delete),
};

static LIST: Command = Command {
    name: "list",
    synopsis: "List the auth methods",
    usage: "[options]",
    about: "Prints all auth methods, without their settings.",
    http: Http::Cluster,
    flags: &[FORMAT, META, NAMESPACE],
    body: Body::Leaf(list),
};

fn create(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let kind = require(invocation, "type")?;
    let name = require(invocation, "name")?;
    let view = View::new(flags)?;
    let mut method = AclAuthMethod {
        name: name.to_owned(),
        r#type: kind.to_owned(),
        config: Some(Map::new()),
        ..AclAuthMethod::default()
    };
    if kind == "kubernetes" {
        for flag in ["kubernetes-host", "kubernetes-ca-cert", "kubernetes-service-account-jwt"] {
            if flags.text(flag).is_empty() {
                return Err(Failure::new(format!("Missing required '-{flag}' flag")));
            }
        }
    }
    apply(&mut method, flags)?;
    let agent = Agent::connect(invocation)?;
    let made = put(&agent, "/v1/acl/auth-method", &method)
        .map_err(Failure::of("Failed to create new auth method: "))?;
    view.one(&made, show::auth_method)
}

/// Takes over what the flags give.
fn apply(method: &mut AclAuthMethod, flags: &Parsed) -> Result<(), Failure> {
    let texts = [
        ("description", &mut method.description),
        ("display-name", &mut method.display_name),
        ("token-locality", &mut method.token_locality),
    ];
    for (flag, field) in texts {
        if let Some(text) = flags.text_if_set(flag) {
            text.clone_into(field);
        }
    }
    if let Some(ttl) = flags.duration_if_set("max-token-ttl") {
        method.max_token_ttl = ttl;
    }
    if let Some(source) = flags.text_if_set("config") {
        let text = input::load_text(source).map_err(Failure::of("Error loading configuration file: "))?;
        let config: Map<String, Value> =
            serde_json::from_str(&text).map_err(Failure::of("Error parsing JSON configuration file: "))?;
        method.config = Some(config);
    }
    let config = method.config.get_or_insert_default();
    if let Some(host) = flags.text_if_set("kubernetes-host") {
        config.insert("Host".to_owned(), json!(host));
    }
    for (flag, key) in
        [("kubernetes-ca-cert", "CACert"), ("kubernetes-service-account-jwt", "ServiceAccountJWT")]
    {
        if let Some(source) = flags.text_if_set(flag) {
            let text = input::load_text(source).map_err(Failure::of(format!("Invalid '-{flag}' value: ")))?;
            config.insert(key.to_owned(), json!(text));
        }
    }
    Ok(())
}

fn named(invocation: &Invocation) -> Result<&str, Failure> {
    match invocation.flags.text("name") {
        "" => Err(Failure::new("Must specify the -name parameter")),
        name => Ok(name),
    }
}

fn current(agent: &Agent, name: &str) -> Result<crate::agent::Reply, Failure> {
    let reading = Failure::of(format!("Error reading auth method {name:?}: "));
    let found = agent.get(path("auth-method", name)).optional().map_err(reading)?;
    found.ok_or_else(|| Failure::new(format!("Auth method not found with name {name:?}")))
}

fn read(invocation: &Invocation) -> Outcome {
    let name = named(invocation)?;
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    view.one(&current(&agent, name)?, show::auth_method)
}

fn update(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let name = match flags.text("name") {
        "" => {
            return Err(Failure::new("Cannot update an auth method without specifying the -name parameter"));
        }
        name => name,
    };
    let view = View::new(flags)?;
    let agent = Agent::connect(invocation)?;
    let mut method: AclAuthMethod = current(&agent, name)?.json().map_err(Failure::of(""))?;
    if flags.switch("no-merge") {
        method = AclAuthMethod { name: method.name, r#type: method.r#type, ..AclAuthMethod::default() };
    }
    apply(&mut method, flags)?;
    let updating = Failure::of(format!("Error updating auth method {name:?}: "));
    let changed = put(&agent, path("auth-method", name), &method).map_err(updating)?;
    view.one(&changed, show::auth_method)
}

fn delete(invocation: &Invocation) -> Outcome {
    let name = named(invocation)?;
    let agent = Agent::connect(invocation)?;
    let deleting = Failure::of(format!("Error deleting auth method {name:?}: "));
    agent.delete(format!("/v1/acl/auth-method/{}", name)).send().map_err(deleting)?;
    output::done(&format!("Auth method {name:?} deleted successfully"))
}

fn list(invocation: &Invocation) -> Outcome {
    let view = View::new(&invocation.flags)?;
    let agent = Agent::connect(invocation)?;
    let reply = agent.get("/v1/acl/auth-methods").send();
    view.many(&reply.map_err(Failure::of("Failed to retrieve the auth method list: "))?, show::auth_methods)
}
