//! What the agent prints before its log begins.

use std::fmt::Write as _;

use consul_config::{ListenHost, RuntimeConfig};

use crate::version;

/// The lines between the greeting and the log.
pub fn text(config: &RuntimeConfig, node_id: &str) -> String {
    let ports = &config.ports;
    let port = |port: Option<u16>| port.map_or(-1, i32::from);
    let client: Vec<String> = config.network.client_addrs.iter().map(host).collect();
    let segment = if config.server { "<all>" } else { "" };
    let bootstrap = config.bootstrap.is_alone();
    let rows = [
        ("Version", format!("'{}'", version::HUMAN)),
        ("Node ID", format!("'{node_id}'")),
        ("Node name", format!("'{}'", config.node.name)),
        ("Datacenter", format!("'{}' (Segment: '{segment}')", config.node.datacenter)),
        ("Server", format!("{} (Bootstrap: {bootstrap})", config.server)),
        (
            "Client Addr",
            format!(
                "[{}] (HTTP: {}, HTTPS: {}, gRPC: {}, DNS: {})",
                client.join(" "),
                port(ports.http),
                port(ports.https),
                port(ports.grpc),
                port(ports.dns)
            ),
        ),
        (
            "Cluster Addr",
            format!(
                "{} (LAN: {}, WAN: {})",
                config.network.advertise_lan,
                ports.serf_lan,
                port(ports.serf_wan)
            ),
        ),
        (
            "Encrypt",
            format!(
                "Gossip: {}, TLS-Outgoing: false, TLS-Incoming: false, Auto-Encrypt-TLS: false",
                config.gossip.encrypt.is_some()
            ),
        ),
    ];
    let mut text = String::from("==> Starting Consul agent...\n");
    for (label, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:>18}: {value}");
    }
    text.push_str("\n==> Log data will now stream in as it occurs:\n\n");
    text
}

fn host(host: &ListenHost) -> String {
    match host {
        ListenHost::Ip(ip) => ip.to_string(),
        ListenHost::Unix(path) => format!("unix://{}", path.display()),
    }
}
