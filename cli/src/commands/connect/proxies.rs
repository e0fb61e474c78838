//! `consul connect proxy` and `consul connect envoy`.
//!
//! Command lines are read and checked against the agent as far as that goes without a mesh; then the commands say
//! that the agent has neither a proxy of its own nor a configuration service for Envoy.

use serde_json::{Map, Value};

use crate::agent::Agent;
use crate::command::{Body, Command, Http, Invocation, print_error};
use crate::failure::{Failure, Outcome};
use crate::flags::Flag;
use crate::http_flags::NAMESPACE;

pub static PROXY: Command = Command {
    name: "proxy",
    synopsis: "Run a mesh proxy (not available)",
    usage: "[options]",
    about: "Would run a proxy that carries the connections of one service. This program has no such proxy: the \
            command line is checked, then the command fails.",
    http: Http::Cluster,
    flags: &[
        Flag::text("listen", "Address for connections from other services.").shown_as("address"),
        Flag::switch("log-json", "Write log lines as JSON."),
        Flag::text("log-level", "Lowest level of log lines.").or("INFO").shown_as("level"),
        Flag::text("pprof-addr", "Address for profiles.").shown_as("address"),
        PROXY_ID,
        Flag::switch("register", "Register the proxy with the agent."),
        Flag::text("register-id", "Suffix of the id under which -register registers.").shown_as("id"),
        Flag::text("service", "Name of the service that the proxy represents.").shown_as("name"),
        Flag::text("service-addr", "Address of the service itself.").shown_as("address"),
        SIDECAR_FOR,
        Flag::list("upstream", "A service to reach and the local address for it.").shown_as("name:address"),
    ],
    body: Body::Leaf(proxy),
};

pub static ENVOY: Command = Command {
    name: "envoy",
    synopsis: "Run Envoy as a mesh proxy (not available)",
    usage: "[options] [-- envoy options]",
    about: "Would configure and run Envoy for one service or gateway. Agents of this program do not configure Envoy: \
            the command line is checked, then the command fails.",
    http: Http::Cluster,
    flags: &[
        Flag::text("address", "Address that a gateway listens on within the datacenter.").shown_as("address"),
        Flag::text("admin-access-log-path", "Where Envoy logs uses of its administration port.")
            .or("/dev/null")
            .shown_as("path"),
        Flag::text("admin-bind", "Address of Envoy's administration port.")
            .or("localhost:19000")
            .shown_as("address"),
        Flag::list("bind-address", "Address of a gateway's own listener.").shown_as("name=address"),
        Flag::switch("bootstrap", "Print Envoy's first configuration instead of running it."),
        Flag::text("deregister-after-critical", "When a failing gateway is taken out of the catalog.")
            .or("6h")
            .shown_as("duration"),
        Flag::text("envoy-binary", "The program to run; by default envoy from the PATH.").shown_as("path"),
        Flag::text("envoy-version", "Version of Envoy to configure.").shown_as("version"),
        Flag::switch("expose-servers", "Let servers be reached through a mesh gateway."),
        Flag::text("gateway", "Kind of gateway: mesh, terminating or ingress.").shown_as("kind"),
        Flag::text("grpc-addr", "Address that Envoy gets its configuration from.").shown_as("address"),
        Flag::switch("mesh-gateway", "The same as -gateway=mesh."),
        Flag::switch("no-central-config", "Leave central configuration out."),
        PROXY_ID,
        Flag::switch("register", "Register the gateway with the agent."),
        Flag::text("service", "Name of the gateway that -register registers.").shown_as("name"),
        SIDECAR_FOR,
        Flag::text("wan-address", "Address that a gateway is reached at from other datacenters.")
            .shown_as("address"),
        NAMESPACE,
    ],
    body: Body::Leaf(envoy),
};

const PROXY_ID: Flag = Flag::text("proxy-id", "Id of the registered proxy.").shown_as("id");
const SIDECAR_FOR: Flag =
    Flag::text("sidecar-for", "Id of the service whose only sidecar is meant.").shown_as("id");
const GATEWAYS: [&str; 3] = ["mesh", "terminating", "ingress"];

fn proxy(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    if !flags.args.is_empty() {
        return Err(Failure::new("Should have no non-flag arguments."));
    }
    for upstream in flags.list("upstream") {
        let parts =
            upstream.split_once(':').filter(|(name, address)| !name.is_empty() && !address.is_empty());
        if parts.is_none() {
            return Err(Failure::new(format!(
                "invalid value {upstream:?} for flag -upstream: Upstream value should be name:addr in {upstream:?}"
            )));
        }
    }
    print_error("==> Consul Connect proxy starting...");
    if flags.text("sidecar-for").is_empty()
        && flags.text("service").is_empty()
        && flags.text("proxy-id").is_empty()
    {
        return Err(Failure::new(
            "==> Error preparing configuration: -service or -proxy-id must be specified so that proxy can configure \
             itself.",
        ));
    }
    check_sidecar(invocation, "==> Error preparing configuration: ")?;
    Err(Failure::new("==> This program has no proxy of its own; nothing was started"))
}

fn envoy(invocation: &Invocation) -> Outcome {
    let flags = &invocation.flags;
    let gateway = flags.text("gateway");
    if !gateway.is_empty() && !GATEWAYS.contains(&gateway) {
        return Err(Failure::new("==> Gateway must be one of: terminating, mesh, or ingress"));
    }
    let is_gateway = !gateway.is_empty() || flags.switch("mesh-gateway");
    if flags.switch("register") && !is_gateway {
        return Err(Failure::new("==> Auto-Registration can only be used for gateways"));
    }
    if !is_gateway && flags.text("proxy-id").is_empty() && flags.text("sidecar-for").is_empty() {
        return Err(Failure::new(
            "==> No proxy ID specified. One of -proxy-id, -sidecar-for, or -gateway is required",
        ));
    }
    check_sidecar(invocation, "==> ")?;
    Err(Failure::new("==> This agent does not configure Envoy; nothing was started"))
}

/// Fails unless exactly one sidecar of the service is registered, if one is asked for.
fn check_sidecar(invocation: &Invocation, prefix: &str) -> Result<(), Failure> {
    let service = invocation.flags.text("sidecar-for");
    if service.is_empty() || !invocation.flags.text("proxy-id").is_empty() {
        return Ok(());
    }
    let agent = Agent::connect(invocation)?;
    let failed = Failure::of(format!("{prefix}Failed looking up sidecar proxy info for {service}: "));
    let services: Map<String, Value> = agent.get("/v1/agent/services").json().map_err(failed)?;
    match sidecars(&services, service) {
        0 => Err(Failure::new(format!("{prefix}No sidecar proxy registered for {service}"))),
        1 => Ok(()),
        _ => Err(Failure::new(format!(
            "{prefix}More than one sidecar proxy registered for {service}. Start proxy with -proxy-id and one of the \
             following IDs"
        ))),
    }
}

fn sidecars(services: &Map<String, Value>, service: &str) -> usize {
    let of_service = |proxy: &&Value| {
        proxy["Kind"] == "connect-proxy"
            && proxy["Proxy"]["DestinationServiceID"]
                .as_str()
                .is_some_and(|destination| destination.eq_ignore_ascii_case(service))
    };
    services.values().filter(of_service).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_sidecars_of_the_service_count() {
        let services = json!({
            "web": {"Kind": ""},
            "one": {"Kind": "connect-proxy", "Proxy": {"DestinationServiceID": "WEB"}},
            "two": {"Kind": "connect-proxy", "Proxy": {"DestinationServiceID": "db"}},
            "three": {"Kind": "connect-proxy", "Proxy": {}},
        });
        let services = services.as_object().unwrap();
        assert_eq!([sidecars(services, "web"), sidecars(services, "none")], [1, 0]);
    }
}
