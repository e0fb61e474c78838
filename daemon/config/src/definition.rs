//! Service and check definitions of configuration files, brought to the shared types.

use crate::section::Section;
use crate::validate::{check, meta};
use crate::value::{Pos, Value};
use crate::warnings::{self, Warnings};
use consul_api::types::agent::{CheckDefinition, ServiceDefinition};
use consul_api::types::catalog::{ServiceAddress, ServicePort, Weights};
use consul_api::types::duration::GoDuration;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Reads all services and all checks that stand outside a service.
pub(crate) fn read(
    root: &Section<'_>,
    warnings: &mut Warnings,
) -> (Vec<ServiceDefinition>, Vec<CheckDefinition>) {
    let services = root.blocks("services").iter().map(|(section, _)| service(section, warnings)).collect();
    let mut checks = Vec::new();
    for (section, pos) in root.blocks("checks") {
        let problems = root.problem_count();
        let definition = read_check(&section, &pos, warnings);
        // What is missing from a half-read check is not its author's fault.
        let well_read = root.problem_count() == problems;
        match check::check(&definition) {
            Err(error) if well_read => {
                let shown = if definition.name.is_empty() { &definition.id } else { &definition.name };
                let message = format!("Failed to register check '{shown}': Check is not valid: {error}");
                section.report("name", message);
            }
            Ok(()) if definition.name.is_empty() && definition.id.is_empty() => {
                section.report("name", "Failed to register check '': Check name missing");
            }
            _ => {}
        }
        checks.push(definition);
    }
    (services, checks)
}

fn service(section: &Section<'_>, warnings: &mut Warnings) -> ServiceDefinition {
    let mut definition = ServiceDefinition {
        kind: section.text_or_empty("kind"),
        id: section.text_or_empty("id"),
        name: section.text_or_empty("name"),
        tags: Some(section.texts("tags")).filter(|tags| !tags.is_empty()),
        address: section.text_or_empty("address"),
        tagged_addresses: tagged_addresses(section),
        meta: Some(section.map("meta")).filter(|meta| !meta.is_empty()),
        port: section.int("port").unwrap_or(0),
        ports: ports(section),
        socket_path: section.text_or_empty("socket_path"),
        token: section.text_or_empty("token"),
        enable_tag_override: section.flag("enable_tag_override").unwrap_or(false),
        proxy: handed_on(section, "proxy"),
        connect: handed_on(section, "connect"),
        ..ServiceDefinition::default()
    };
    definition.weights = weights(section, &definition.name);
    note_foreign_keys(section, &["locality", "namespace", "partition"], warnings);

    let problems = section.problem_count();
    // The position of a check in this list is part of the id it is given later.
    let mut checks: Vec<CheckDefinition> = Vec::new();
    for (inner, pos) in section.blocks("checks") {
        checks.push(read_check(&inner, &pos, warnings));
    }
    let single = section.block("check");
    if single.is_present() {
        let pos = section.pos("check").unwrap_or_else(|| Pos::whole("check"));
        definition.check =
            Some(read_check(&single, &pos, warnings)).filter(|check| *check != CheckDefinition::default());
    }
    let well_read = section.problem_count() == problems;
    for problem in checks.iter().chain(&definition.check).filter_map(|one| check::check(one).err()) {
        if !well_read {
            break;
        }
        let message = format!("Failed to validate checks for service {:?}: {problem}", definition.name);
        section.report("checks", message);
    }
    definition.checks = Some(checks).filter(|checks| !checks.is_empty());
    check_service(section, &definition);
    definition
}

fn check_service(section: &Section<'_>, definition: &ServiceDefinition) {
    let name = &definition.name;
    if name.is_empty() {
        section.report("name", "Failed to register service \"\": Service name missing");
    }
    if let Some(map) = &definition.meta
        && let Err(error) = meta::check(map)
    {
        section.fail_in_words("meta", format!("invalid meta for service {name}: {error}"));
    }
    if let Some(problem) =
        ServicePort::problem(definition.port, definition.ports.as_deref().unwrap_or_default())
    {
        section.report("ports", format!("service {name}: {problem}"));
    }
    if !definition.socket_path.is_empty() && (definition.port != 0 || !definition.address.is_empty()) {
        let message = format!("service {name}: socket_path cannot be set together with address or port");
        section.report("socket_path", message);
    }
}

fn ports(section: &Section<'_>) -> Option<Vec<ServicePort>> {
    let read = |(inner, _): (Section<'_>, Pos)| ServicePort {
        name: inner.text_or_empty("name"),
        port: inner.int("port").unwrap_or(0),
        default: inner.flag("default").unwrap_or(false),
    };
    let ports: Vec<ServicePort> = section.blocks("ports").into_iter().map(read).collect();
    (!ports.is_empty()).then_some(ports)
}

fn weights(section: &Section<'_>, name: &str) -> Option<Weights> {
    let block = section.block("weights");
    let passing = block.int("passing").unwrap_or(1);
    let warning = block.int("warning").unwrap_or(1);
    if !block.is_present() {
        return None;
    }
    let complaint = match (passing, warning) {
        (..=0, _) => Some("Passing must be greater than 0"),
        (65536.., _) | (_, 65536..) | (_, ..=-1) => Some("DNS Weight must be between 0 and 65535"),
        _ => None,
    };
    if let Some(complaint) = complaint {
        section
            .fail_in_words("weights", format!("Invalid weight definition for service {name}: {complaint}"));
    }
    Some(Weights { passing, warning })
}

fn tagged_addresses(section: &Section<'_>) -> Option<BTreeMap<String, ServiceAddress>> {
    let entries = section.block_map("tagged_addresses")?;
    let address = |(name, inner): (String, Section<'_>)| {
        let address = inner.text_or_empty("address");
        (name, ServiceAddress { address, port: inner.int("port").unwrap_or(0) })
    };
    Some(entries.into_iter().map(address).collect())
}

fn read_check(section: &Section<'_>, pos: &Pos, warnings: &mut Warnings) -> CheckDefinition {
    note_foreign_keys(section, &["namespace", "partition"], warnings);
    let args = renamed(section, "args", "script_args", warnings, |key| {
        Some(section.texts(key)).filter(|a| !a.is_empty())
    });
    let id =
        renamed(section, "id", "check_id", warnings, |key| section.text(key).filter(|id| !id.is_empty()));
    let script = section.text_or_empty("script");
    if !script.is_empty() {
        warnings.push(warnings::deprecated("script", "args"), section.pos("script"));
    }
    let mut definition = CheckDefinition {
        id: id.unwrap_or_default(),
        name: section.text_or_empty("name"),
        notes: section.text_or_empty("notes"),
        service_id: section.text_or_empty("service_id"),
        token: section.text_or_empty("token"),
        status: section.text_or_empty("status"),
        script: if args.is_some() { String::new() } else { script },
        script_args: args,
        http: section.text_or_empty("http"),
        header: Some(section.texts_map("header")).filter(|header| !header.is_empty()),
        method: section.text_or_empty("method"),
        body: section.text_or_empty("body"),
        disable_redirects: section.flag("disable_redirects").unwrap_or(false),
        tcp: section.text_or_empty("tcp"),
        tcp_use_tls: section.flag("tcp_use_tls").unwrap_or(false),
        udp: section.text_or_empty("udp"),
        docker_container_id: section.text_or_empty("docker_container_id"),
        shell: section.text_or_empty("shell"),
        grpc: section.text_or_empty("grpc"),
        grpc_use_tls: section.flag("grpc_use_tls").unwrap_or(false),
        h2ping: section.text_or_empty("h2ping"),
        h2ping_use_tls: section.flag("h2ping_use_tls"),
        os_service: section.text_or_empty("os_service"),
        tls_server_name: section.text_or_empty("tls_server_name"),
        tls_skip_verify: section.flag("tls_skip_verify").unwrap_or(false),
        alias_node: section.text_or_empty("alias_node"),
        alias_service: section.text_or_empty("alias_service"),
        interval: duration(section, "interval"),
        timeout: duration(section, "timeout"),
        ttl: duration(section, "ttl"),
        deregister_critical_service_after: duration(section, "deregister_critical_service_after"),
        success_before_passing: section.int("success_before_passing").unwrap_or(0),
        failures_before_warning: section.int("failures_before_warning"),
        failures_before_critical: section.int("failures_before_critical").unwrap_or(0),
        output_max_size: section.int("output_max_size"),
        ..CheckDefinition::default()
    };
    settle_script_with_ttl(&mut definition, pos, warnings);
    definition
}

/// Files of the first releases give a script an interval and a time to live: the script is what they mean.
fn settle_script_with_ttl(definition: &mut CheckDefinition, pos: &Pos, warnings: &mut Warnings) {
    let both = !definition.interval.is_zero() && !definition.ttl.is_zero();
    if definition.script.is_empty() || !both {
        return;
    }
    definition.ttl = GoDuration::ZERO;
    let message =
        "A check with 'script', 'interval' and 'ttl' runs its script at the interval; its 'ttl' is ignored.";
    warnings.push(message, Some(pos.clone()));
}

fn duration(section: &Section<'_>, key: &str) -> GoDuration {
    section.duration(key).map_or(GoDuration::ZERO, GoDuration::from)
}

/// Reads a key under its name or an old one; the present name wins.
fn renamed<T>(
    section: &Section<'_>,
    name: &str,
    old: &str,
    warnings: &mut Warnings,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let value = read(name);
    let former = read(old);
    if former.is_some() {
        warnings.push(warnings::deprecated(old, name), section.pos(old));
    }
    value.or(former)
}

fn note_foreign_keys(section: &Section<'_>, keys: &[&str], warnings: &mut Warnings) {
    for key in keys {
        let Some(pos) = section.pos(key) else { continue };
        let message = match section.status(key) {
            Some(crate::schema::Status::Ignored(advice)) => warnings::ignored(key, advice),
            _ => warnings::enterprise(key),
        };
        warnings.push(message, Some(pos));
    }
}

/// A part whose inner structure only the catalog knows.
fn handed_on<T: DeserializeOwned>(section: &Section<'_>, key: &str) -> Option<T> {
    let value = section.any(key)?;
    let value = match value {
        // A block that HCL made a list of one.
        Value::List(items) if items.len() == 1 => items.first().map(|item| &item.value)?,
        other => other,
    };
    match serde_json::from_value(api_names(value.to_json())) {
        Ok(part) => Some(part),
        Err(error) => {
            section.fail(key, error);
            None
        }
    }
}

/// Renames `destination_service_id` to `DestinationServiceID` and so on. What is under `config` belongs to others.
fn api_names(value: Json) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.into_iter().map(api_names).collect()),
        Json::Object(map) => {
            let rename = |(key, inner): (String, Json)| {
                let name = api_name(&key);
                let inner = if matches!(name.as_str(), "Config" | "Meta") { inner } else { api_names(inner) };
                (name, inner)
            };
            Json::Object(map.into_iter().map(rename).collect())
        }
        other => other,
    }
}

fn api_name(key: &str) -> String {
    let word = |part: &str| match part {
        "id" | "http" | "tcp" | "grpc" | "ttl" | "tls" | "udp" => part.to_uppercase(),
        _ => {
            let mut chars = part.chars();
            chars
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + chars.as_str())
                .unwrap_or_default()
        }
    };
    key.split('_').map(word).collect()
}
