//! What a registration must satisfy before it is proposed. Pure functions: they look at the request alone.

use std::net::IpAddr;

use consul_api::types::StringMap;
use consul_api::types::catalog::{NodeService, ServicePort};
use consul_api::types::health::HealthCheck;
use consul_api::types::request::{DeregisterRequest, RegisterRequest};
use thiserror::Error;

use crate::error::ApplyError;

pub const KIND_CONNECT_PROXY: &str = "connect-proxy";
pub const KIND_MESH_GATEWAY: &str = "mesh-gateway";
pub const KIND_INGRESS_GATEWAY: &str = "ingress-gateway";
pub const KIND_TERMINATING_GATEWAY: &str = "terminating-gateway";

const META_PAIRS_MAX: usize = 64;
const META_KEY_LEN_MAX: usize = 128;
const META_VALUE_LEN_MAX: usize = 512;
const META_KEY_RESERVED: &str = "consul-";

/// Why metadata cannot be stored.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MetaError {
    #[error("Node metadata cannot contain more than 64 key/value pairs")]
    TooMany,
    #[error("Couldn't load metadata pair ('{key}', '{value}'): {reason}")]
    Pair { key: String, value: String, reason: &'static str },
}

/// Fills in the defaults of a registration and refuses what no server would store.
pub fn registration(request: &mut RegisterRequest) -> Result<(), ApplyError> {
    node(&request.node, &request.id)?;
    if request.address.is_empty() && !request.skip_node_update {
        return Err(ApplyError::MissingAddress);
    }
    if let Some(definition) = &mut request.service {
        service(definition)?;
    }
    for definition in request.check.iter_mut().chain(request.checks.iter_mut().flatten()) {
        if definition.node.is_empty() {
            definition.node.clone_from(&request.node);
        }
        check(definition);
    }
    Ok(())
}

pub fn deregistration(request: &DeregisterRequest) -> Result<(), ApplyError> {
    if request.node.is_empty() { Err(ApplyError::MissingNodeName) } else { Ok(()) }
}

/// A node needs a name, and an id that is a UUID if it has one.
pub fn node(name: &str, id: &str) -> Result<(), ApplyError> {
    if name.is_empty() {
        return Err(ApplyError::MissingNodeName);
    }
    if id.is_empty() {
        return Ok(());
    }
    if id.len() != 36 {
        return Err(ApplyError::NodeId("uuid string is wrong length"));
    }
    let hyphens = [8, 13, 18, 23];
    let formed = id
        .bytes()
        .enumerate()
        .all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    if formed { Ok(()) } else { Err(ApplyError::NodeId("uuid is improperly formatted")) }
}

/// The id defaults to the name.
pub fn service(service: &mut NodeService) -> Result<(), ApplyError> {
    if service.id.is_empty() {
        service.id.clone_from(&service.service);
    }
    if !service.id.is_empty() && service.service.is_empty() {
        return Err(ApplyError::MissingServiceName);
    }
    if service.address.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_unspecified())
    {
        return Err(ApplyError::ServiceAddress);
    }
    service.ports.take_if(|ports| ports.is_empty());
    if let Some(problem) = ServicePort::problem(service.port, service.ports.as_deref().unwrap_or_default()) {
        return Err(ApplyError::several(&[&problem]));
    }
    let problems = kind_problems(service);
    if problems.is_empty() { Ok(()) } else { Err(ApplyError::several(&problems)) }
}

fn kind_problems(service: &NodeService) -> Vec<&'static str> {
    let mut problems = Vec::new();
    match service.kind.as_str() {
        KIND_CONNECT_PROXY => {
            let name = service.proxy.destination_service_name.trim();
            if name.is_empty() {
                problems.push("Proxy.DestinationServiceName must be non-empty for Connect proxy services");
            } else if name == "*" {
                problems
                    .push("Proxy.DestinationServiceName must not be a wildcard for Connect proxy services");
            }
            if service.port == 0 && service.socket_path.is_empty() {
                problems.push("Port must be set for a Connect proxy");
            }
            if service.connect.native {
                problems.push("A Proxy cannot also be Connect Native, only typical services");
            }
        }
        KIND_MESH_GATEWAY if service.port == 0 => problems.push("Port must be non-zero for a mesh-gateway"),
        KIND_TERMINATING_GATEWAY if service.port == 0 => {
            problems.push("Port must be non-zero for a terminating-gateway");
        }
        _ => {}
    }
    problems
}

/// The id defaults to the name.
pub fn check(check: &mut HealthCheck) {
    if check.check_id.is_empty() {
        check.check_id.clone_from(&check.name);
    }
}

/// Metadata of services: bounded in number and size, keys of a plain alphabet outside the reserved prefix.
pub fn service_meta(meta: Option<&StringMap>) -> Result<(), MetaError> {
    let Some(meta) = meta else { return Ok(()) };
    if meta.len() > META_PAIRS_MAX {
        return Err(MetaError::TooMany);
    }
    for (key, value) in meta {
        if let Some(reason) = meta_pair_problem(key, value, ReservedKeys::Refused) {
            return Err(MetaError::Pair { key: key.clone(), value: value.clone(), reason });
        }
    }
    Ok(())
}

/// Whether keys of the reserved prefix are fine: in filters they are, in what is stored they are not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReservedKeys {
    Refused,
    Allowed,
}

pub(crate) fn meta_pair_problem(key: &str, value: &str, reserved: ReservedKeys) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if key.is_empty() {
        Some("Key cannot be blank")
    } else if !key.bytes().all(plain) {
        Some("Key contains invalid characters")
    } else if key.len() > META_KEY_LEN_MAX {
        Some("Key is too long (limit: 128 characters)")
    } else if reserved == ReservedKeys::Refused && key.starts_with(META_KEY_RESERVED) {
        Some("Key prefix 'consul-' is reserved for internal use")
    } else if value.len() > META_VALUE_LEN_MAX {
        Some("Value is too long (limit: 512 characters)")
    } else {
        None
    }
}
