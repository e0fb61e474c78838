//! `consul connect`: the certificate authority of the mesh, as far as it is configuration.

mod proxies;

use serde_json::Value;

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::{input, output};

pub static COMMAND: Command = Command::group(
    "connect",
    "Configure the mesh's certificate authority",
    "Shows and changes the configuration of the certificate authority that a mesh would use. Proxies cannot be run.",
    &[&CA, &proxies::ENVOY, &proxies::PROXY],
);

static CA: Command = Command::group(
    "ca",
    "Configure the certificate authority",
    "The certificate authority that signs the certificates of mesh services.

    $ consul connect ca get-config",
    &[&GET_CONFIG, &SET_CONFIG],
);

static GET_CONFIG: Command = Command {
    name: "get-config",
    synopsis: "Print the configuration",
    usage: "[options]",
    about: "Prints the configuration of the certificate authority as JSON.",
    http: Http::Cluster,
    flags: &[],
    body: Body::Leaf(get_config),
};

static SET_CONFIG: Command = Command {
    name: "set-config",
    synopsis: "Change the configuration",
    usage: "-config-file FILE [options]",
    about: "Replaces the configuration of the certificate authority by the JSON document in a file.",
    http: Http::Cluster,
    flags: &[
        Flag::text("config-file", "File with the configuration; required.").shown_as("path"),
        Flag::switch("force-without-cross-signing", "Change the provider even if it cannot cross-sign."),
    ],
    body: Body::Leaf(set_config),
};

const PATH: &str = "/v1/connect/ca/configuration";

fn get_config(invocation: &Invocation) -> Outcome {
    let agent = Agent::connect(invocation)?;
    let config: Value = agent.get(PATH).json().map_err(Failure::of("Error querying CA configuration: "))?;
    output::done(&output::json(&config, output::TAB))
}

fn set_config(invocation: &Invocation) -> Outcome {
    let file = invocation.flags.text("config-file");
    if file.is_empty() {
        return Err(Failure::new("The -config-file flag is required"));
    }
    let bytes = input::read_file(file.as_ref()).map_err(Failure::of("Error reading config file: "))?;
    let mut config: Value =
        serde_json::from_slice(&bytes).map_err(Failure::of("Error parsing config file: "))?;
    if invocation.flags.switch("force-without-cross-signing") {
        config["ForceWithoutCrossSigning"] = Value::Bool(true);
    }
    let agent = Agent::connect(invocation)?;
    let setting = Failure::of("Error setting CA configuration: ");
    agent.put(PATH).json_body(&config).and_then(|call| call.send()).map_err(setting)?;
    output::done("Configuration updated!")
}
