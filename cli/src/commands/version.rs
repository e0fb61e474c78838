//! `consul version`: which program this is.

use consul_daemon::version::{API_LEVEL, METADATA};
use serde::Serialize;

use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::output;

/// Versions of the gossip protocol.
const PROTOCOL: Protocol = Protocol { default: 2, min: 2, max: 3 };

pub static COMMAND: Command = Command {
    name: "version",
    synopsis: "Print the version",
    usage: "[options]",
    about: "Prints the version of this program and the versions of the gossip protocol that it speaks.",
    http: Http::None,
    flags: &[Flag::text("format", "Output format: pretty or json.").or("pretty")],
    body: Body::Leaf(run),
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: &'static str,
    revision: &'static str,
    prerelease: &'static str,
    version_metadata: &'static str,
    #[serde(rename = "RPC")]
    rpc: Protocol,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Protocol {
    default: u8,
    min: u8,
    max: u8,
}

fn run(invocation: &Invocation) -> Outcome {
    match invocation.flags.text("format") {
        "pretty" => print_default(),
        "json" => {
            let version = Version {
                version: API_LEVEL,
                revision: "",
                prerelease: "",
                version_metadata: METADATA,
                rpc: PROTOCOL,
            };
            output::done(&output::json(&version, output::THREE_SPACES))
        }
        other => Err(Failure::new(format!("Unknown format: {other}"))),
    }
}

/// The text for people, also for `consul -v`.
pub fn print_default() -> Outcome {
    let Protocol { default, min, max } = PROTOCOL;
    output::done(&format!(
        "Consul v{API_LEVEL}+{METADATA}\nProtocol {default} spoken by default, understands {min} to {max} (agent \
         will automatically use protocol >{default} when speaking to compatible agents)\n"
    ))
}
