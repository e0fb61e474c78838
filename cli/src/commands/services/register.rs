//! `consul services register`.

use std::collections::BTreeMap;

use consul_api::types::agent::ServiceDefinition;
use consul_api::types::catalog::ServiceAddress;

use super::files;
use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation};
use crate::failure::{Exit, Failure, Outcome};
use crate::flags::{Flag, Parsed};
use crate::http_flags::NAMESPACE;
use crate::output;

pub static COMMAND: Command = Command {
    name: "register",
    synopsis: "Register services with the agent",
    usage: "[options] [FILE...]",
    about: "Registers the services that the files define, in the grammar of the agent's configuration, or the one \
            that the options describe.

    $ consul services register web.json
    $ consul services register -name=web -port=80 -tag=primary",
    http: Http::Cluster,
    flags: &[
        Flag::text("address", "Address of the service, if not the agent's.").shown_as("address"),
        Flag::text("id", "Id of the service; by default its name.").shown_as("id"),
        Flag::text("kind", "Kind of the service, such as connect-proxy."),
        Flag::pairs("meta", "Metadata of the service."),
        Flag::text("name", "Name of the service.").shown_as("name"),
        Flag::int("port", "Port of the service."),
        Flag::text("socket", "Path of the Unix socket on which the service listens instead of a port.")
            .shown_as("path"),
        Flag::list("tag", "Tag of the service."),
        Flag::pairs("tagged-address", "Further address of the service, name=host:port."),
        NAMESPACE,
    ],
    body: Body::Leaf(run),
};

fn run(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let services = match (flags.args.is_empty(), flags.text("name").is_empty()) {
        (true, true) => {
            return Err(Failure::new("Service registration requires at least one argument or flags."));
        }
        (false, false) => {
            return Err(Failure::new("Service registration requires arguments or -id, not both."));
        }
        (true, false) => vec![described(flags)?],
        (false, true) => files::services(&flags.args)?,
    };
    let agent = Agent::connect(invocation)?;
    for service in &services {
        let failed = Failure::of(format!("Error registering service {:?}: ", service.name));
        let call = agent.put("/v1/agent/service/register").json_body(service);
        call.and_then(|call| call.send()).map_err(failed)?;
        output::print_line(&format!("Registered service: {}", service.name))?;
    }
    Ok(Exit::SUCCESS)
}

fn described(flags: &Parsed) -> Result<ServiceDefinition, Failure> {
    let mut tagged = BTreeMap::new();
    for (name, address) in flags.pairs("tagged-address") {
        tagged.insert(name, tagged_address(&address).map_err(Failure::of("Invalid Tagged Address: "))?);
    }
    let (tags, meta) = (flags.list("tag"), flags.pairs("meta"));
    Ok(ServiceDefinition {
        kind: flags.text("kind").to_owned(),
        id: flags.text("id").to_owned(),
        name: flags.text("name").to_owned(),
        tags: Some(tags).filter(|tags| !tags.is_empty()),
        address: flags.text("address").to_owned(),
        tagged_addresses: Some(tagged).filter(|tagged| !tagged.is_empty()),
        meta: Some(meta).filter(|meta| !meta.is_empty()),
        port: flags.int("port"),
        socket_path: flags.text("socket").to_owned(),
        ..ServiceDefinition::default()
    })
}

/// `host:port`, an IPv6 host in brackets.
fn tagged_address(text: &str) -> Result<ServiceAddress, String> {
    let missing = || format!("address {text}: missing port in address");
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").ok_or_else(missing)?,
        None => text.rsplit_once(':').ok_or_else(missing)?,
    };
    if host.contains(':') && !text.starts_with('[') {
        return Err(format!("address {text}: too many colons in address"));
    }
    let port = port.parse().map_err(|_| format!("address {text}: invalid port"))?;
    Ok(ServiceAddress { address: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::tagged_address;

    #[test]
    fn addresses_have_a_port() {
        let lan = tagged_address("5.6.7.8:80").unwrap();
        assert_eq!((lan.address.as_str(), lan.port), ("5.6.7.8", 80));
        assert_eq!(tagged_address("[::1]:80").unwrap().address, "::1");
        assert_eq!(tagged_address("5.6.7.8").unwrap_err(), "address 5.6.7.8: missing port in address");
        assert!(tagged_address("::1:80").is_err() && tagged_address("a:b").is_err());
    }
}
