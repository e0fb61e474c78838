//! `consul acl`: tokens, policies, roles and the rest of access control.

mod auth_method;
mod binding_rule;
mod bootstrap;
mod links;
mod policy;
mod resolve;
mod role;
mod set_agent_token;
mod show;
mod templated_policy;
mod token;
mod translate_rules;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::agent::Reply;
use crate::command::{Command, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::{help, output};

pub static COMMAND: Command = Command::group(
    "acl",
    "Manage access control",
    "Access control decides by the token of a request what it may do. Tokens carry policies, directly or through \
     roles; auth methods and binding rules give tokens to those whom another system vouches for.

    $ consul acl bootstrap
    $ consul acl policy create -name=web -rules=@web.hcl
    $ consul acl token create -policy-name=web",
    &[
        &auth_method::COMMAND,
        &binding_rule::COMMAND,
        &bootstrap::COMMAND,
        &policy::COMMAND,
        &role::COMMAND,
        &set_agent_token::COMMAND,
        &templated_policy::COMMAND,
        &token::COMMAND,
        &translate_rules::COMMAND,
    ],
);

const FORMAT: Flag = Flag::text("format", "Output format: pretty or json.").or("pretty");
const META: Flag = Flag::switch("meta", "Print the content hash and the indexes as well.");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Pretty,
    Json,
}

/// How the result is to be shown; known before any request, so that nothing is done for nothing.
#[derive(Clone, Copy)]
struct View {
    format: Format,
    meta: bool,
}

impl View {
    fn new(flags: &Parsed) -> Result<Self, Failure> {
        let format = match flags.text("format") {
            "pretty" => Format::Pretty,
            "json" => Format::Json,
            other => return Err(Failure::new(format!("Unknown format: {other}"))),
        };
        Ok(Self { format, meta: flags.switch("meta") })
    }

    /// Prints one object: as `pretty` draws it, or as the agent sent it.
    fn one<T: DeserializeOwned>(self, reply: &Reply, pretty: impl Fn(&T, Self) -> String) -> Outcome {
        if self.format == Format::Json {
            let document: Value = reply.json().map_err(Failure::of(""))?;
            return output::done(&output::json(&document, output::FOUR_SPACES));
        }
        let object: T = reply.json().map_err(Failure::of(""))?;
        output::print(&pretty(&object, self))?;
        Ok(Exit::SUCCESS)
    }

    /// Prints a list; an empty one is nothing, or `[]`.
    fn many<T: DeserializeOwned>(self, reply: &Reply, pretty: impl Fn(&[T], Self) -> String) -> Outcome {
        if self.format == Format::Json {
            let documents: Option<Vec<Value>> = reply.json().map_err(Failure::of(""))?;
            return output::done(&output::json(&documents.unwrap_or_default(), output::FOUR_SPACES));
        }
        let objects: Option<Vec<T>> = reply.json().map_err(Failure::of(""))?;
        output::print(&pretty(&objects.unwrap_or_default(), self))?;
        Ok(Exit::SUCCESS)
    }
}

/// A flag is missing: says which, then explains the command.
fn missing(invocation: &Invocation, text: &str) -> Failure {
    Failure::new(format!("{text}\n{}", help::leaf(&invocation.path, invocation.command)))
}

/// Fails unless the flag was given.
fn require<'a>(invocation: &'a Invocation, name: &str) -> Result<&'a str, Failure> {
    match invocation.flags.text(name) {
        "" => Err(missing(invocation, &format!("Missing required '-{name}' flag"))),
        value => Ok(value),
    }
}

/// The segment of a path for one object of a kind.
fn path<T: AsRef<str>>(kind: &str, id: T) -> String {
    format!("/v1/acl/{kind}/{}", id.as_ref())
}

/// Sends an object with PUT.
fn put<T: Serialize>(
    agent: &crate::agent::Agent,
    path: impl AsRef<[u8]>,
    object: &T,
) -> Result<Reply, crate::agent::CallError> {
    agent.put(path).json_body(object)?.send()
}
