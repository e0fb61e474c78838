//! `consul login`: trades a credential of another system for a token.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use consul_api::types::acl::AclToken;
use serde_json::json;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::input;

pub static COMMAND: Command = Command {
    name: "login",
    synopsis: "Get a token through an auth method",
    usage: "[options]",
    about: "Shows a bearer token to an auth method and writes the secret id of the ACL token that comes back into a \
            file that only its owner can read.

    $ consul login -method=ci -bearer-token-file=jwt -token-sink-file=token",
    http: Http::Cluster,
    flags: &[
        Flag::text("method", "Name of the auth method; required.").shown_as("name"),
        Flag::text("bearer-token-file", "File with the bearer token; required.").shown_as("path"),
        Flag::text("token-sink-file", "File to write the token's secret id to; required.").shown_as("path"),
        Flag::pairs("meta", "Metadata that the token's description will carry."),
        Flag::text("type", "Type of the auth method, if the server does not know it [Enterprise]."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if !flags.args.is_empty() {
        return Err(Failure::new("Should have no non-flag arguments."));
    }
    for name in ["method", "token-sink-file", "bearer-token-file"] {
        if flags.text(name).is_empty() {
            return Err(Failure::new(format!("Missing required '-{name}' flag")));
        }
    }
    let path = flags.text("bearer-token-file");
    let bearer = input::read_file(Path::new(path)).and_then(input::into_text).map_err(Failure::of(""))?;
    let bearer = bearer.trim();
    if bearer.is_empty() {
        return Err(Failure::new(format!("No bearer token found in {path}")));
    }
    let agent = Agent::connect(invocation)?;
    let request =
        json!({ "AuthMethod": flags.text("method"), "BearerToken": bearer, "Meta": flags.pairs("meta") });
    let call = agent.post("/v1/acl/login").json_body(&request);
    let token: AclToken = call.and_then(|call| call.json()).map_err(Failure::of("Error logging in: "))?;
    let sink = flags.text("token-sink-file");
    write_secret(Path::new(sink), &token.secret_id)
        .map_err(Failure::of(format!("Error writing token to file sink {sink:?}: ")))?;
    Ok(Exit::SUCCESS)
}

/// Replaces the file in one step, so that nobody ever reads half a token.
fn write_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(secret.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
