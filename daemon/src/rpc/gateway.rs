//! Which gateway leads to which service, as the configuration entries of gateways say.
//!
//! Worked out when asked for: gateways are few, and an entry is small.

use std::collections::BTreeSet;
use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::config_entry::ConfigEntry;
use consul_state::catalog::{Instance, Lookup};
use consul_state::{Version, WatchSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RpcError;
use super::catalog::ServiceInstances;
use super::read::Read;
use crate::config_entries::Kind;

/// Stands for every service.
const WILDCARD: &str = "*";
const PROTOCOL_DEFAULT: &str = "tcp";
/// The servers themselves, as a service.
const SERVERS: &str = "consul";

/// A name as the API nests it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Named {
    pub name: String,
}

/// One service behind one gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GatewayService {
    pub gateway: Named,
    pub service: Named,
    pub gateway_kind: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub port: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    #[serde(rename = "CAFile", skip_serializing_if = "String::is_empty")]
    pub ca_file: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert_file: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key_file: String,
    #[serde(rename = "SNI", skip_serializing_if = "String::is_empty")]
    pub sni: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_wildcard: bool,
    pub create_index: u64,
    pub modify_index: u64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Services behind a gateway, by name and port.
pub struct GatewayServices {
    pub gateway: String,
}

impl Read for GatewayServices {
    type Reply = Vec<GatewayService>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, mut links) = links(version, seen);
        links.retain(|link| link.gateway.name.eq_ignore_ascii_case(&self.gateway));
        links.sort_by(|a, b| (&a.service.name, a.port).cmp(&(&b.service.name, b.port)));
        Ok((index, links))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|link| authorizer.allows(Resource::Service(&link.service.name), Access::Read));
        Ok(reply.len() < before)
    }
}

/// Instances of the ingress gateways that expose a service.
pub struct ExposingGateways {
    /// The service, and what is wanted of the gateways.
    pub instances: ServiceInstances,
}

impl Read for ExposingGateways {
    type Reply = Vec<Instance>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (mut index, links) = links(version, seen);
        let exposing = links.iter().filter(|link| {
            link.gateway_kind == Kind::IngressGateway.as_str()
                && link.service.name.eq_ignore_ascii_case(&self.instances.service)
        });
        let gateways: BTreeSet<&str> = exposing.map(|link| link.gateway.name.as_str()).collect();
        let mut rows = Vec::new();
        for gateway in gateways {
            let of_gateway = ServiceInstances {
                service: gateway.to_owned(),
                lookup: Lookup::Service,
                ..self.instances.clone()
            };
            let (changed, found) = of_gateway.evaluate(version, seen)?;
            index = index.max(changed);
            rows.extend(found);
        }
        Ok((index, rows))
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        // The exposed service decides as well as its gateways.
        if !authorizer.allows(Resource::Service(&self.instances.service), Access::Read) {
            let hidden = !reply.is_empty();
            reply.clear();
            return Ok(hidden);
        }
        self.instances.restrict(authorizer, reply)
    }
}

/// The terminating gateways that let the mesh reach a service outside of it. The index is that of the entries; whether
/// a wildcard means the service is looked up without being watched, because whoever asks watches the service.
pub fn terminating_gateways<'a>(
    version: &'a Version,
    service: &str,
    seen: &mut WatchSet,
) -> (u64, BTreeSet<&'a str>) {
    let (index, entries) = version.config_entries(Some(Kind::TerminatingGateway.as_str()), seen);
    let is_ordinary = || {
        let instances = version.check_service_nodes(service, Lookup::Service, &mut WatchSet::new()).1;
        instances.iter().any(|row| row.service.kind.is_empty() && row.service.service != SERVERS)
    };
    let leads_there = |entry: &&Arc<ConfigEntry>| {
        items(&entry.fields, "Services")
            .map(|linked| text(linked, "Name"))
            .any(|name| name.eq_ignore_ascii_case(service) || name == WILDCARD && is_ordinary())
    };
    (index, entries.filter(leads_there).map(|entry| entry.name.as_str()).collect())
}

/// Every link there is. The index is that of the entries, and of the services where a wildcard stands for them.
fn links(version: &Version, seen: &mut WatchSet) -> (u64, Vec<GatewayService>) {
    let (mut index, entries) = version.config_entries(None, seen);
    let mut links = Vec::new();
    for entry in entries {
        let from = links.len();
        match Kind::parse(&entry.kind) {
            Some(Kind::IngressGateway) => ingress(entry, &mut links),
            Some(Kind::TerminatingGateway) => terminating(entry, &mut links),
            _ => continue,
        }
        let mut explicit: BTreeSet<String> =
            links.iter().skip(from).map(|link| link.service.name.to_lowercase()).collect();
        if !explicit.remove(WILDCARD) {
            continue;
        }
        let written = links.split_off(from);
        let (changed, names) = ordinary_services(version, seen);
        index = index.max(changed);
        for link in written {
            if link.service.name != WILDCARD {
                links.push(link);
                continue;
            }
            let others = names.iter().filter(|name| !explicit.contains(&name.to_lowercase()));
            let exposed = others.filter(|name| {
                link.protocol.is_empty() || protocol(version, name).eq_ignore_ascii_case(&link.protocol)
            });
            links.extend(exposed.map(|name| GatewayService {
                service: Named { name: name.clone() },
                from_wildcard: true,
                ..link.clone()
            }));
        }
    }
    (index, links)
}

/// Names of services that are no proxies, no gateways and not the servers themselves.
fn ordinary_services(version: &Version, seen: &mut WatchSet) -> (u64, BTreeSet<String>) {
    let (index, instances) = version.all_instances(seen);
    let ordinary = instances.filter(|row| row.service.kind.is_empty() && row.service.service != SERVERS);
    (index, ordinary.map(|row| row.service.service.clone()).collect())
}

/// What a service speaks: as its own defaults say, or those of all proxies.
fn protocol<'a>(version: &'a Version, service: &str) -> &'a str {
    // The table was recorded when the links were listed.
    let mut seen = WatchSet::new();
    let own = version.config_entry(Kind::ServiceDefaults.as_str(), service, &mut seen).1;
    let own = own.map(|entry| text(&entry.fields, "Protocol")).filter(|protocol| !protocol.is_empty());
    let common = || {
        let entry = version.config_entry(Kind::ProxyDefaults.as_str(), "global", &mut WatchSet::new()).1;
        let config = entry.and_then(|entry| entry.fields.get("Config")).and_then(Value::as_object);
        config.and_then(|config| config.get("protocol")).and_then(Value::as_str)
    };
    own.or_else(common).unwrap_or(PROTOCOL_DEFAULT)
}

fn ingress(entry: &ConfigEntry, links: &mut Vec<GatewayService>) {
    for listener in items(&entry.fields, "Listeners") {
        let protocol = match text(listener, "Protocol") {
            "" => PROTOCOL_DEFAULT,
            given => given,
        };
        links.extend(items(listener, "Services").map(|service| GatewayService {
            port: listener.get("Port").and_then(Value::as_i64).unwrap_or(0),
            protocol: protocol.to_owned(),
            hosts: texts(service, "Hosts"),
            ..link(entry, Kind::IngressGateway, service)
        }));
    }
}

fn terminating(entry: &ConfigEntry, links: &mut Vec<GatewayService>) {
    links.extend(items(&entry.fields, "Services").map(|service| GatewayService {
        ca_file: text(service, "CAFile").to_owned(),
        cert_file: text(service, "CertFile").to_owned(),
        key_file: text(service, "KeyFile").to_owned(),
        sni: text(service, "SNI").to_owned(),
        ..link(entry, Kind::TerminatingGateway, service)
    }));
}

fn link(entry: &ConfigEntry, kind: Kind, service: &Map<String, Value>) -> GatewayService {
    GatewayService {
        gateway: Named { name: entry.name.clone() },
        service: Named { name: text(service, "Name").to_owned() },
        gateway_kind: kind.as_str().to_owned(),
        port: 0,
        protocol: String::new(),
        hosts: Vec::new(),
        ca_file: String::new(),
        cert_file: String::new(),
        key_file: String::new(),
        sni: String::new(),
        from_wildcard: false,
        create_index: entry.modify_index,
        modify_index: entry.modify_index,
    }
}

fn items<'a>(fields: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    fields.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts(fields: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = fields.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
