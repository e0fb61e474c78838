//! `consul config write`.

use serde_json::Value;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;
use crate::{input, output};

pub static COMMAND: Command = Command {
    name: "write",
    synopsis: "Write an entry",
    usage: "[options] FILE",
    about: "Writes the configuration entry in FILE, in HCL or JSON; a single dash reads standard input. With -cas \
            alone the entry must not exist yet.

    $ consul config write web.hcl",
    http: Http::Cluster,
    flags: &[
        Flag::switch("cas", "Write only if the entry's modify index still is -modify-index."),
        Flag::uint("modify-index", "Modify index that -cas compares with; 0 for an entry that is new."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

/// Every kind that some release knows; which of them are accepted is the server's decision.
const KINDS: [&str; 19] = [
    "api-gateway",
    "bound-api-gateway",
    "control-plane-request-limit",
    "exported-services",
    "file-system-certificate",
    "http-route",
    "ingress-gateway",
    "inline-certificate",
    "jwt-provider",
    "mesh",
    "proxy-defaults",
    "sameness-group",
    "service-defaults",
    "service-intentions",
    "service-resolver",
    "service-router",
    "service-splitter",
    "tcp-route",
    "terminating-gateway",
];

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let [file] = flags.args.as_slice() else {
        return Err(Failure::new(
            "Must provide exactly one positional argument to specify the config entry to write",
        ));
    };
    let text = read(file).map_err(Failure::of("Failed to load data: "))?;
    let entry = decode(&text).map_err(Failure::of("Failed to decode config entry input: "))?;
    let agent = Agent::connect(invocation)?;
    let shown = format!("{}/{}", field(&entry, "kind"), field(&entry, "name"));
    let mut call = agent.put("/v1/config");
    if flags.switch("cas") {
        call = call.query("cas", flags.uint("modify-index").to_string());
    }
    let failed = Failure::of(format!("Error writing config entry {shown}: "));
    let reply = call.json_body(&entry).and_then(|call| call.send()).map_err(failed)?;
    if flags.switch("cas") && reply.text().trim() != "true" {
        return Err(Failure::new(format!("Config entry not updated: {shown}")));
    }
    output::done(&format!("Config entry written: {shown}"))
}

fn read(file: &str) -> Result<String, String> {
    let bytes = match file {
        "-" => input::stdin().map_err(|error| format!("Failed to read stdin: {error}"))?,
        path => input::read_file(path.as_ref()).map_err(|error| format!("Failed to read file: {error}"))?,
    };
    input::into_text(bytes)
}

fn decode(text: &str) -> Result<Value, String> {
    let entry = consul_config::parse_document("config entry", text).map_err(|error| error.to_string())?;
    let kind = field(&entry, "kind");
    if kind.is_empty() {
        return Err("Payload does not contain a kind/Kind key at the top level".to_owned());
    }
    if !KINDS.contains(&kind) {
        return Err(format!("invalid config entry kind: {kind}"));
    }
    Ok(entry)
}

/// A text of the document by its name in any letter case.
fn field<'a>(entry: &'a Value, name: &str) -> &'a str {
    let mut fields = entry.as_object().into_iter().flatten();
    fields
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .and_then(|(_, value)| value.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{decode, field};

    #[test]
    fn hcl_and_json_entries_are_told_apart() {
        let entry = decode("Kind = \"service-defaults\"\nName = \"web\"\n").unwrap();
        assert_eq!(field(&entry, "name"), "web");
        assert!(decode(r#"{"kind": "mesh"}"#).is_ok());
        assert_eq!(decode(r#"{"Kind": "bogus"}"#).unwrap_err(), "invalid config entry kind: bogus");
        assert!(decode("{}").is_err());
    }
}
