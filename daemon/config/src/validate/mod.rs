//! Rules that concern several keys, in the order in which their violation is reported.

pub(crate) mod check;
pub(crate) mod meta;

use crate::error::{ConfigError, Problem};
use crate::runtime::{ListenAddr, RuntimeConfig};
use crate::section::Section;
use crate::warnings::Warnings;
use std::collections::HashMap;
use std::path::Path;

/// The message for a violation, if there is one.
type Rule = fn(&RuntimeConfig) -> Option<String>;

/// Checks a whole configuration and adds the notices that take more than one key to see.
pub(crate) fn check_rules(
    config: &RuntimeConfig,
    root: &Section<'_>,
    warnings: &mut Warnings,
) -> Result<(), ConfigError> {
    let rules: [(&str, Rule); 11] = [
        ("datacenter", datacenter),
        ("data_dir", data_dir),
        ("node_name", node_name),
        ("alt_domain", alt_domain),
        ("ui_config", ui),
        ("bootstrap", bootstrap),
        ("bootstrap_expect", bootstrap_expect),
        ("advertise_reconnect_timeout", advertise_reconnect_timeout),
        ("auto_encrypt", auto_encrypt),
        ("auto_config", auto_config),
        ("addresses", address_clash),
    ];
    for (key, rule) in rules {
        if let Some(message) = rule(config) {
            return Err(ConfigError::Rule(Problem::new(key, message, root.pos(key))));
        }
    }
    if root.text("segment").is_some_and(|segment| !segment.is_empty()) {
        let message = "Network segments are not supported in this version of Consul";
        return Err(ConfigError::Rule(Problem::new("segment", message, root.pos("segment"))));
    }
    notices(config, root, warnings);
    Ok(())
}

fn datacenter(config: &RuntimeConfig) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let invalid = |name: &str| name.is_empty() || !name.chars().all(allowed);
    let node = &config.node;
    if node.datacenter.is_empty() {
        return Some("datacenter cannot be empty".to_owned());
    }
    if invalid(&node.datacenter) {
        return Some(format!("datacenter cannot be {:?}. Please use only [a-z0-9-_]", node.datacenter));
    }
    invalid(&node.primary_datacenter).then(|| {
        format!("primary_datacenter cannot be {:?}. Please use only [a-z0-9-_]", node.primary_datacenter)
    })
}

fn data_dir(config: &RuntimeConfig) -> Option<String> {
    (config.node.data_dir.is_none() && !config.dev_mode).then(|| "data_dir cannot be empty".to_owned())
}

fn node_name(config: &RuntimeConfig) -> Option<String> {
    config.node.name.is_empty().then(|| "node_name cannot be empty".to_owned())
}

/// First labels that the DNS door gives a meaning to.
fn alt_domain(config: &RuntimeConfig) -> Option<String> {
    let datacenter = config.node.datacenter.as_str();
    let words = ["service", "connect", "node", "query", "addr", datacenter];
    let first = config.dns.alt_domain.split('.').next().unwrap_or_default();
    words
        .contains(&first.to_lowercase().as_str())
        .then(|| format!("alt_domain cannot start with {{service,connect,node,query,addr,{datacenter}}}"))
}

fn ui(config: &RuntimeConfig) -> Option<String> {
    let path = &config.ui.content_path;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    if !path.chars().all(allowed) {
        return Some(format!("ui-content-path can only contain alphanumeric, -, _, or /. received: {path}"));
    }
    let version = path.strip_prefix("/v").and_then(|rest| rest.strip_suffix('/'));
    if version.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())) {
        return Some(format!("ui-content-path cannot have 'v[0-9]'. received: {path}"));
    }
    (config.ui.enabled && config.ui.dir.is_some() && !config.dev_mode).then(|| {
        "Both the ui and ui-dir flags were specified, please provide only one.\n\
         If trying to use your own web UI resources, use the ui-dir flag.\n\
         The web UI is included in the binary so use ui to enable it"
            .to_owned()
    })
}

fn bootstrap(config: &RuntimeConfig) -> Option<String> {
    (config.bootstrap.alone && !config.server)
        .then(|| "'bootstrap = true' requires 'server = true'".to_owned())
}

fn bootstrap_expect(config: &RuntimeConfig) -> Option<String> {
    let expect = config.bootstrap.expect;
    if expect == 0 {
        return None;
    }
    if config.dev_mode {
        return Some("'bootstrap_expect > 0' not allowed in dev mode".to_owned());
    }
    if !config.server {
        return Some("'bootstrap_expect > 0' requires 'server = true'".to_owned());
    }
    (config.bootstrap.alone && expect > 1)
        .then(|| "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive".to_owned())
}

fn advertise_reconnect_timeout(config: &RuntimeConfig) -> Option<String> {
    (config.server && !config.gossip.advertise_reconnect_timeout.is_zero())
        .then(|| "advertise_reconnect_timeout can only be used on a client".to_owned())
}

fn auto_encrypt(config: &RuntimeConfig) -> Option<String> {
    let auto = &config.auto_encrypt;
    if auto.tls && config.auto_config.enabled {
        return Some("both auto_encrypt.tls and auto_config.enabled cannot be set to true.".to_owned());
    }
    if auto.tls && config.server {
        return Some("auto_encrypt.tls can only be used on a client.".to_owned());
    }
    (auto.allow_tls && !config.server)
        .then(|| "auto_encrypt.allow_tls can only be used on a server.".to_owned())
}

fn auto_config(config: &RuntimeConfig) -> Option<String> {
    let auto = &config.auto_config;
    if auto.authorization.enabled && !config.server {
        return Some("auto_config.authorization.enabled cannot be set to true for client agents".to_owned());
    }
    if !auto.enabled {
        return None;
    }
    if config.server {
        return Some("auto_config.enabled cannot be set to true for server agents.".to_owned());
    }
    let rpc = &config.tls.internal_rpc;
    if !rpc.verify_outgoing && rpc.ca_file.is_none() && rpc.ca_path.is_none() {
        let message = "auto_config.enabled cannot be set without configuring TLS for server communications";
        return Some(message.to_owned());
    }
    if auto.intro_token.is_empty() && auto.intro_token_file.is_none() {
        let message = "One of auto_config.intro_token, auto_config.intro_token_file or the CONSUL_INTRO_TOKEN \
                       environment variable must be set to enable auto_config";
        return Some(message.to_owned());
    }
    auto.server_addresses
        .is_empty()
        .then(|| "auto_config.enabled is set without providing a list of addresses".to_owned())
}

/// No two listeners, and nothing that is told to other agents, may share a place.
fn address_clash(config: &RuntimeConfig) -> Option<String> {
    let network = &config.network;
    let tcp = |address| ListenAddr::Tcp(address);
    let mut places: Vec<(&str, ListenAddr)> = Vec::new();
    places.extend(network.dns.iter().map(|address| ("DNS", tcp(*address))));
    for (name, list) in [
        ("HTTP", &network.http),
        ("HTTPS", &network.https),
        ("gRPC", &network.grpc),
        ("gRPC TLS", &network.grpc_tls),
    ] {
        places.extend(list.iter().map(|address| (name, address.clone())));
    }
    if config.server {
        places.push(("RPC Advertise", tcp(network.rpc_advertise)));
    }
    places.push(("Serf Advertise LAN", tcp(network.serf_advertise_lan)));
    places.extend(network.serf_advertise_wan.map(|address| ("Serf Advertise WAN", tcp(address))));
    let mut taken: HashMap<&ListenAddr, &str> = HashMap::new();
    for (name, place) in &places {
        if let Some(other) = taken.insert(place, name) {
            return Some(format!("{name} address {place} already configured for {other}"));
        }
    }
    None
}

fn notices(config: &RuntimeConfig, root: &Section<'_>, warnings: &mut Warnings) {
    let expect = config.bootstrap.expect;
    let pos = root.pos("bootstrap_expect");
    if expect == 1 {
        warnings.push("BootstrapExpect is set to 1; this is the same as Bootstrap mode.", pos.clone());
    }
    if expect == 2 {
        let message = "bootstrap_expect = 2: A cluster with 2 servers will provide no failure tolerance. See \
                       https://www.consul.io/docs/internals/consensus.html#deployment-table";
        warnings.push(message, pos.clone());
    }
    if expect > 2 && expect.is_multiple_of(2) {
        let message = "bootstrap_expect is even number: A cluster with an even number of servers does not achieve \
                       optimum fault tolerance. See \
                       https://www.consul.io/docs/internals/consensus.html#deployment-table";
        warnings.push(message, pos.clone());
    }
    if expect > 1 {
        warnings.push(format!("bootstrap_expect > 0: expecting {expect} servers"), pos);
    }
    if config.bootstrap.is_alone() {
        warnings.push("bootstrap = true: do not enable unless necessary", root.pos("bootstrap"));
    }
    let open = !config.acl.enabled && config.http.allow_write_from.is_empty();
    if config.checks.enable_remote_scripts && open {
        let message = "using enable-script-checks without ACLs and without allow_write_http_from is DANGEROUS, use \
                       enable-local-script-checks instead";
        warnings.push(message, root.pos("enable_script_checks"));
    }
}

/// Looks whether the data directory can be one: it may be missing, but it may not be a file, nor hold the store of
/// a release older than 0.6.
pub fn check_data_dir(dir: &Path, server: bool) -> Result<(), String> {
    match std::fs::metadata(dir) {
        Ok(meta) if !meta.is_dir() => {
            return Err(format!("data_dir {:?} is not a directory", dir.display().to_string()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("Error getting info on data_dir: {error}")),
    }
    let old = dir.join("mdb");
    if server && old.exists() {
        return Err(format!(
            "CRITICAL: Deprecated data folder found at {:?}!\n\
             This agent cannot read the store of releases before 0.6; upgrade through one of 0.6 to 0.8 first.\n\
             If its contents are not needed any more, move the folder away and start again.",
            old.display().to_string()
        ));
    }
    Ok(())
}
