//! From what people write to what is registered: defaults, ids, and refusals in the words clients know.

use std::collections::BTreeMap;
use std::net::IpAddr;

use consul_api::types::agent::{CheckDefinition, ServiceDefinition};
use consul_api::types::catalog::{NodeService, ServiceAddress, ServiceConnect, ServicePort, Weights};
use consul_state::catalog::validate::service_meta;
use thiserror::Error;

/// A definition that cannot be registered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DefinitionError {
    #[error("Missing service name")]
    MissingServiceName,
    #[error("Missing check name")]
    MissingCheckName,
    #[error("Invalid service address")]
    InvalidAddress,
    #[error("Invalid Weights: {0}")]
    Weights(&'static str),
    #[error("Invalid Service Meta: {0}")]
    Meta(String),
    #[error("Invalid port {0}: must be between 0 and 65535")]
    Port(i64),
    #[error("Invalid service: {0}")]
    Ports(String),
    #[error("Status for checks must 'passing', 'warning', 'critical'")]
    ServiceCheckStatus,
    #[error("Bad check status")]
    CheckStatus,
    #[error("Invalid check: {0}")]
    Check(String),
    #[error("{0}")]
    Kind(String),
}

const WEIGHT_MAX: i64 = 65_535;

/// The instance that a definition describes, defaults filled in.
pub fn to_node_service(definition: &ServiceDefinition) -> Result<NodeService, DefinitionError> {
    if definition.name.is_empty() {
        return Err(DefinitionError::MissingServiceName);
    }
    if matches!(definition.address.as_str(), "0.0.0.0" | "::" | "[::]") {
        return Err(DefinitionError::InvalidAddress);
    }
    if let Some(weights) = &definition.weights {
        check_weights(weights)?;
    }
    if let Some(meta) = &definition.meta {
        service_meta(Some(meta)).map_err(|error| DefinitionError::Meta(error.to_string()))?;
    }
    if !(0..=65_535).contains(&definition.port) {
        return Err(DefinitionError::Port(definition.port));
    }
    if let Some(problem) =
        ServicePort::problem(definition.port, definition.ports.as_deref().unwrap_or_default())
    {
        return Err(DefinitionError::Ports(problem));
    }
    check_kind(definition)?;
    let id = if definition.id.is_empty() { &definition.name } else { &definition.id };
    Ok(NodeService {
        kind: definition.kind.clone(),
        id: id.clone(),
        service: definition.name.clone(),
        tags: Some(definition.tags.clone().unwrap_or_default()),
        address: definition.address.clone(),
        tagged_addresses: tagged_addresses(definition),
        meta: definition.meta.clone(),
        port: definition.port,
        ports: definition.ports.clone().filter(|ports| !ports.is_empty()),
        socket_path: definition.socket_path.clone(),
        weights: Some(definition.weights.unwrap_or_default()),
        enable_tag_override: definition.enable_tag_override,
        proxy: definition.proxy.clone().unwrap_or_default(),
        connect: ServiceConnect { native: definition.connect.as_ref().is_some_and(|connect| connect.native) },
        create_index: 0,
        modify_index: 0,
    })
}

/// The addresses as given, plus those that follow from a literal `address`.
fn tagged_addresses(definition: &ServiceDefinition) -> Option<BTreeMap<String, ServiceAddress>> {
    let mut tagged = definition.tagged_addresses.clone().unwrap_or_default();
    if let Ok(ip) = definition.address.parse::<IpAddr>() {
        let names = if ip.is_ipv4() { ["lan_ipv4", "wan_ipv4"] } else { ["lan_ipv6", "wan_ipv6"] };
        for name in names {
            let derived = || ServiceAddress { address: definition.address.clone(), port: definition.port };
            tagged.entry(name.to_owned()).or_insert_with(derived);
        }
    }
    (!tagged.is_empty()).then_some(tagged)
}

fn check_weights(weights: &Weights) -> Result<(), DefinitionError> {
    if weights.passing < 1 {
        return Err(DefinitionError::Weights("Passing must be greater than 0"));
    }
    if weights.passing > WEIGHT_MAX || !(0..=WEIGHT_MAX).contains(&weights.warning) {
        return Err(DefinitionError::Weights("DNS Weight must be between 0 and 65535"));
    }
    Ok(())
}

fn check_kind(definition: &ServiceDefinition) -> Result<(), DefinitionError> {
    let mut problems = Vec::new();
    match definition.kind.as_str() {
        "connect-proxy" => {
            let destination =
                definition.proxy.as_ref().map_or("", |proxy| proxy.destination_service_name.as_str());
            if destination.is_empty() {
                problems.push("Proxy.DestinationServiceName must be non-empty for Connect proxy services");
            }
            if definition.port == 0 && definition.socket_path.is_empty() {
                problems.push("Port must be set for a Connect proxy");
            }
        }
        "mesh-gateway" if definition.port == 0 => problems.push("Port must be non-zero for a mesh-gateway"),
        _ => {}
    }
    if problems.is_empty() { Ok(()) } else { Err(DefinitionError::Kind(multi_error(&problems))) }
}

/// Several problems in the layout of Go's multierror.
pub fn multi_error(problems: &[&str]) -> String {
    let noun = if problems.len() == 1 { "error" } else { "errors" };
    let lines: String = problems.iter().map(|problem| format!("\t* {problem}\n")).collect();
    format!("{} {noun} occurred:\n{lines}\n", problems.len())
}

/// The checks of a service with their ids and names filled in. `check` comes before the list; empty ones are dropped
/// from `check` and are errors in the list.
pub fn service_checks(
    definition: &ServiceDefinition,
    service: &NodeService,
) -> Result<Vec<CheckDefinition>, DefinitionError> {
    let single = definition.check.iter().filter(|check| **check != CheckDefinition::default());
    let all: Vec<&CheckDefinition> = single.chain(definition.checks.iter().flatten()).collect();
    let only = all.len() == 1;
    let mut checks = Vec::with_capacity(all.len());
    for (position, check) in all.into_iter().enumerate() {
        check_status(&check.status).map_err(|()| DefinitionError::ServiceCheckStatus)?;
        let mut check = check.clone();
        check.service_id.clone_from(&service.id);
        if check.id.is_empty() {
            let number = position + 1;
            check.id = if only {
                format!("service:{}", service.id)
            } else {
                format!("service:{}:{number}", service.id)
            };
        }
        if check.name.is_empty() {
            check.name = format!("Service '{}' check", service.service);
        }
        checks.push(check);
    }
    Ok(checks)
}

/// A check of its own, with its id filled in.
pub fn node_check(mut check: CheckDefinition) -> Result<CheckDefinition, DefinitionError> {
    if check.name.is_empty() {
        return Err(DefinitionError::MissingCheckName);
    }
    check_status(&check.status).map_err(|()| DefinitionError::CheckStatus)?;
    if check.id.is_empty() {
        check.id.clone_from(&check.name);
    }
    Ok(check)
}

fn check_status(status: &str) -> Result<(), ()> {
    if status.is_empty() || status.parse::<consul_api::types::health::Status>().is_ok() {
        Ok(())
    } else {
        Err(())
    }
}

/// Why DNS cannot show a name; such names are allowed all the same.
pub fn undiscoverable(name: &str) -> Option<&'static str> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !name.bytes().all(valid) || name.is_empty() {
        return Some(
            "will not be discoverable via DNS due to invalid characters. Valid characters include all alpha-numerics and dashes.",
        );
    }
    (name.len() > 63).then_some("will not be discoverable via DNS due to it being too long. Valid lengths are between 1 and 63 bytes.")
}

#[cfg(test)]
mod tests {
    use consul_api::types::duration::GoDuration;

    use super::*;

    fn named(name: &str) -> ServiceDefinition {
        ServiceDefinition { name: name.into(), ..ServiceDefinition::default() }
    }

    fn ttl() -> CheckDefinition {
        CheckDefinition { ttl: GoDuration::from_secs(30), ..CheckDefinition::default() }
    }

    #[test]
    fn id_defaults_to_the_name_and_weights_to_one() {
        let service = to_node_service(&named("web")).unwrap();
        assert_eq!((service.id.as_str(), service.weights), ("web", Some(Weights { passing: 1, warning: 1 })));
        assert_eq!(service.tags, Some(vec![]));
    }

    #[test]
    fn a_literal_address_adds_its_tagged_forms() {
        let definition = ServiceDefinition { address: "10.0.0.1".into(), port: 80, ..named("web") };
        let tagged = to_node_service(&definition).unwrap().tagged_addresses.unwrap();
        assert_eq!(tagged.keys().collect::<Vec<_>>(), ["lan_ipv4", "wan_ipv4"]);
        let definition = ServiceDefinition { address: "db.internal".into(), ..named("web") };
        assert_eq!(to_node_service(&definition).unwrap().tagged_addresses, None);
    }

    #[test]
    fn refusals_have_the_known_texts() {
        let text = |definition: ServiceDefinition| to_node_service(&definition).unwrap_err().to_string();
        assert_eq!(text(named("")), "Missing service name");
        assert_eq!(text(ServiceDefinition { address: "::".into(), ..named("a") }), "Invalid service address");
        let weights = Some(Weights { passing: 0, warning: 1 });
        assert_eq!(
            text(ServiceDefinition { weights, ..named("a") }),
            "Invalid Weights: Passing must be greater than 0"
        );
        let meta = Some([("a b".to_owned(), "v".to_owned())].into());
        assert_eq!(
            text(ServiceDefinition { meta, ..named("a") }),
            "Invalid Service Meta: Couldn't load metadata pair ('a b', 'v'): Key contains invalid characters"
        );
        let proxy = ServiceDefinition { kind: "connect-proxy".into(), ..named("a") };
        assert!(text(proxy).starts_with("2 errors occurred:\n\t* Proxy.DestinationServiceName must be"));
    }

    #[test]
    fn check_ids_count_all_checks() {
        let service = to_node_service(&named("c")).unwrap();
        let one = ServiceDefinition { check: Some(ttl()), ..named("c") };
        assert_eq!(service_checks(&one, &service).unwrap()[0].id, "service:c");
        let named_check = CheckDefinition { id: "own".into(), ..ttl() };
        let three =
            ServiceDefinition { check: Some(ttl()), checks: Some(vec![named_check, ttl()]), ..named("c") };
        let ids: Vec<_> =
            service_checks(&three, &service).unwrap().into_iter().map(|check| check.id).collect();
        assert_eq!(ids, ["service:c:1", "own", "service:c:3"]);
        let empty = ServiceDefinition { check: Some(CheckDefinition::default()), ..named("c") };
        assert!(service_checks(&empty, &service).unwrap().is_empty());
    }
}
