//! What must hold for an entry by itself.

use consul_api::types::config_entry::ConfigEntry;
use consul_api::types::duration::GoDuration;
use serde_json::{Map, Value};

use super::Kind;

/// The only name that common proxy defaults have.
const GLOBAL: &str = "global";
/// Longest name of a subset.
const SUBSET_MAX: usize = 63;
/// What the weights of a splitter must add up to, in hundredths.
const WEIGHT_SUM: i64 = 10_000;

/// Fixes what has one possible value.
pub fn normalize(kind: Kind, entry: &mut ConfigEntry) {
    if kind == Kind::ProxyDefaults {
        GLOBAL.clone_into(&mut entry.name);
    }
    if let Some(Value::String(protocol)) = entry.fields.get_mut("Protocol") {
        *protocol = protocol.to_lowercase();
    }
}

pub fn entry(kind: Kind, entry: &ConfigEntry) -> Result<(), String> {
    if entry.name.is_empty() {
        let what = if kind == Kind::ServiceDefaults { "serviceName" } else { "Name" };
        return Err(format!("{what} is required"));
    }
    match kind {
        Kind::ServiceDefaults | Kind::ProxyDefaults | Kind::TerminatingGateway => Ok(()),
        Kind::ServiceRouter => router(&entry.fields),
        Kind::ServiceSplitter => splitter(&entry.fields),
        Kind::ServiceResolver => resolver(&entry.fields),
        Kind::IngressGateway => ingress(&entry.fields),
    }
}

fn items<'a>(fields: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    fields.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn duration(fields: &Map<String, Value>, key: &str) -> Result<(), String> {
    let given = text(fields, key);
    if given.is_empty() {
        return Ok(());
    }
    // A bare number is a number of nanoseconds that was written out.
    if given.parse::<i64>().is_ok_and(|nanoseconds| nanoseconds >= 0) {
        return Ok(());
    }
    match given.parse::<GoDuration>() {
        Err(error) => Err(format!("Bad {key}: {error}")),
        Ok(span) if span.0 < 0 => Err(format!("Bad {key} '{given}', must be >= 0")),
        Ok(_) => Ok(()),
    }
}

fn router(fields: &Map<String, Value>) -> Result<(), String> {
    for (at, route) in items(fields, "Routes").enumerate() {
        let http = route.get("Match").and_then(|m| m.get("HTTP")).and_then(Value::as_object);
        if let Some(http) = http {
            let paths = ["PathExact", "PathPrefix", "PathRegex"];
            if paths.iter().filter(|key| !text(http, key).is_empty()).count() > 1 {
                return Err(format!(
                    "Route[{at}] should only contain at most one of PathExact, PathPrefix, or PathRegex"
                ));
            }
            for key in ["PathExact", "PathPrefix"] {
                let path = text(http, key);
                if !path.is_empty() && !path.starts_with('/') {
                    return Err(format!("Route[{at}] {key} doesn't start with '/': {path:?}"));
                }
            }
        }
        if let Some(destination) = route.get("Destination").and_then(Value::as_object) {
            duration(destination, "RequestTimeout")?;
            duration(destination, "IdleTimeout")?;
        }
    }
    Ok(())
}

fn splitter(fields: &Map<String, Value>) -> Result<(), String> {
    let mut sum = 0;
    let mut any = false;
    for split in items(fields, "Splits") {
        any = true;
        let weight = split.get("Weight").and_then(Value::as_f64).unwrap_or(0.0);
        // Weights count in hundredths of a percent; finer parts are lost.
        let hundredths = (weight * 100.0).round() as i64;
        if !(0..=WEIGHT_SUM).contains(&hundredths) {
            return Err(format!("any split weight must be between 0.00 and 100.00, not {weight:.6}"));
        }
        sum += hundredths;
    }
    if !any {
        return Err("no splits configured".to_owned());
    }
    if sum != WEIGHT_SUM {
        return Err(format!("the sum of all split weights must be 100, not {:.6}", sum as f64 / 100.0));
    }
    Ok(())
}

fn resolver(fields: &Map<String, Value>) -> Result<(), String> {
    let by_name = |key: &str| fields.get(key).and_then(Value::as_object).into_iter().flatten();
    for (name, _) in by_name("Subsets") {
        if name.is_empty() {
            return Err("Subset defined with empty name".to_owned());
        }
        if !is_subset_name(name) {
            return Err(format!(
                "Subset {name:?} is invalid: must be {SUBSET_MAX} characters or fewer, begin or end with lower case \
                 alphanumeric characters, and contain lower case alphanumeric characters or '-' in between"
            ));
        }
    }
    let has_subset = |name: &str| name.is_empty() || by_name("Subsets").any(|(known, _)| known == name);
    let default = text(fields, "DefaultSubset");
    if !has_subset(default) {
        return Err(format!("DefaultSubset {default:?} is not a valid subset"));
    }
    let redirect = fields.get("Redirect").and_then(Value::as_object);
    if redirect.is_some() && by_name("Failover").next().is_some() {
        return Err("Redirect and Failover cannot both be set".to_owned());
    }
    if redirect.is_some_and(Map::is_empty) {
        return Err("Redirect is empty".to_owned());
    }
    for (name, failover) in by_name("Failover") {
        if name != "*" && !has_subset(name) {
            return Err(format!("Bad Failover[{name:?}]: not a valid subset"));
        }
        if failover.as_object().is_none_or(Map::is_empty) {
            return Err(format!(
                "Bad Failover[{name:?}] one of Service, ServiceSubset, Namespace, or Datacenters is required"
            ));
        }
    }
    duration(fields, "ConnectTimeout")?;
    duration(fields, "RequestTimeout")
}

fn is_subset_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    name.len() <= SUBSET_MAX
        && bytes.first().is_some_and(|byte| plain(*byte))
        && bytes.last().is_some_and(|byte| plain(*byte))
        && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

fn ingress(fields: &Map<String, Value>) -> Result<(), String> {
    let mut ports = std::collections::BTreeSet::new();
    for listener in items(fields, "Listeners") {
        let port = listener.get("Port").and_then(Value::as_i64).unwrap_or(0);
        if !ports.insert(port) {
            return Err(format!("port {port} declared on two listeners"));
        }
        let protocol = text(listener, "Protocol");
        if !matches!(protocol, "" | "tcp" | "http" | "http2" | "grpc") {
            return Err(format!(
                "protocol must be 'tcp', 'http', 'http2', or 'grpc'. '{protocol}' is an unsupported protocol"
            ));
        }
        let is_tcp = matches!(protocol, "" | "tcp");
        if is_tcp && items(listener, "Services").any(|service| text(service, "Name") == "*") {
            return Err(format!(
                "Wildcard service name is only valid for protocol = 'http' (listener on port {port})"
            ));
        }
        let services = items(listener, "Services").count();
        if services == 0 {
            return Err(format!("No service declared for listener with port {port}"));
        }
        if services > 1 && is_tcp {
            return Err(format!(
                "Multiple services per listener are only supported for protocol = 'http' (listener on port {port})"
            ));
        }
    }
    Ok(())
}
