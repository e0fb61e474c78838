//! Instances of services with their health.

use std::collections::BTreeMap;
use std::fmt;

use consul_api::types::catalog as api;
use consul_api::types::health::{
    CheckServiceNode, HealthCheck as ApiCheck, HealthCheckDefinition as ApiDefinition, NODE_MAINTENANCE,
    SERVICE_MAINTENANCE_PREFIX,
};
use consul_template_language::{KeyKind, ListMethod, Map, MapType, Signature, Value};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::parts::{Nanoseconds, Str, Strings, Tags, ToValue};
use super::rows::{Rows, record, row};
use crate::dependency::ServiceQuery;

/// An instance of a service, its node and its health.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct HealthService {
    pub node: Str,
    pub node_id: Str,
    pub node_address: Str,
    pub node_tagged_addresses: Strings,
    pub node_meta: Strings,
    pub service_meta: Strings,
    /// Address of the instance, of its node if it has none of its own.
    pub address: Str,
    pub service_tagged_addresses: Addresses,
    pub id: Str,
    pub name: Str,
    pub tags: Tags,
    pub checks: Rows<HealthCheck>,
    /// What all checks together come to.
    pub status: Str,
    pub port: i64,
    pub weights: Weights,
}

row!(HealthService, "*dependency.HealthService", {
    "Node" => node,
    "NodeID" => node_id,
    "NodeAddress" => node_address,
    "NodeTaggedAddresses" => node_tagged_addresses,
    "NodeMeta" => node_meta,
    "ServiceMeta" => service_meta,
    "Address" => address,
    "ServiceTaggedAddresses" => service_tagged_addresses,
    "ID" => id,
    "Name" => name,
    "Tags" => tags,
    "Checks" => checks,
    "Status" => status,
    "Port" => port,
    "Weights" => weights,
});

impl From<CheckServiceNode> for HealthService {
    fn from(entry: CheckServiceNode) -> Self {
        let CheckServiceNode { node, service, checks } = entry;
        let status =
            aggregated_status(checks.iter().map(|check| (check.check_id.as_str(), check.status.as_str())));
        let address = if service.address.is_empty() { node.address.clone() } else { service.address };
        HealthService {
            node: node.node.into(),
            node_id: node.id.into(),
            node_address: node.address.into(),
            node_tagged_addresses: node.tagged_addresses.into(),
            node_meta: node.meta.into(),
            service_meta: service.meta.into(),
            address: address.into(),
            service_tagged_addresses: Addresses::from(service.tagged_addresses),
            id: service.id.into(),
            name: service.service.into(),
            tags: Tags::sorted(service.tags),
            checks: checks.into_iter().map(HealthCheck::from).collect(),
            status: status.into(),
            port: service.port,
            weights: service.weights.map(Weights::from).unwrap_or_default(),
        }
    }
}

/// The instances a query wants out of those the server returned, in order of node and id unless the server
/// sorted them by distance.
pub fn select(entries: Vec<CheckServiceNode>, query: &ServiceQuery) -> Rows<HealthService> {
    let mut found: Vec<HealthService> = entries.into_iter().map(HealthService::from).collect();
    found.retain(|instance| query.accepts(&instance.status));
    if query.near.is_none() {
        found.sort_by(|a, b| (&a.node, &a.id).cmp(&(&b.node, &b.id)));
    }
    found.into_iter().collect()
}

/// What checks, given as id and status, come to: the worst of them, where maintenance is worse than critical.
/// Passing if there are none, and nothing if a status is not known.
pub fn aggregated_status<'a>(checks: impl IntoIterator<Item = (&'a str, &'a str)>) -> &'static str {
    const BY_RANK: [&str; 4] = ["passing", "warning", "critical", "maintenance"];
    let mut worst = 0;
    for (id, status) in checks {
        let rank = if id == NODE_MAINTENANCE || id.starts_with(SERVICE_MAINTENANCE_PREFIX) {
            3
        } else {
            match status {
                "passing" => 0,
                "warning" => 1,
                "critical" => 2,
                _ => return "",
            }
        };
        worst = worst.max(rank);
    }
    BY_RANK.get(worst).copied().unwrap_or_default()
}

/// How an instance is weighed against others, by health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Weights {
    pub passing: i64,
    pub warning: i64,
}

record!(Weights, "api.AgentWeights", { "Passing" => passing, "Warning" => warning, });

impl From<api::Weights> for Weights {
    fn from(weights: api::Weights) -> Self {
        Weights { passing: weights.passing, warning: weights.warning }
    }
}

impl ToValue for Weights {
    fn to_value(&self) -> Value {
        Value::record(*self)
    }
}

/// An address of a service under some name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Address {
    pub address: Str,
    pub port: i64,
}

record!(Address, "api.ServiceAddress", { "Address" => address, "Port" => port, });

static ADDRESSES: MapType = MapType {
    name: "map[string]api.ServiceAddress",
    keys: KeyKind::Str,
    element: "api.ServiceAddress",
    zero: || Value::record(Address::default()),
};

/// Addresses by name; a name that is not there yields an empty address.
#[derive(Clone)]
pub struct Addresses(Map);

impl Addresses {
    fn pairs(&self) -> Option<BTreeMap<String, Address>> {
        if self.0.is_nil() {
            return None;
        }
        let entries = self.0.snapshot();
        let pair = |value: &Value| value.as_record::<Address>().cloned().unwrap_or_default();
        Some(
            entries
                .iter()
                .map(|(name, value)| (name.to_value().to_text().to_string(), pair(value)))
                .collect(),
        )
    }

    fn from_pairs(pairs: Option<impl IntoIterator<Item = (String, Address)>>) -> Addresses {
        Addresses(match pairs {
            Some(pairs) => Map::collect(
                &ADDRESSES,
                pairs.into_iter().map(|(name, address)| (name, Value::record(address))),
            ),
            None => Map::nil(&ADDRESSES),
        })
    }
}

impl From<Option<BTreeMap<String, api::ServiceAddress>>> for Addresses {
    fn from(pairs: Option<BTreeMap<String, api::ServiceAddress>>) -> Self {
        let address = |from: api::ServiceAddress| Address { address: from.address.into(), port: from.port };
        Addresses::from_pairs(
            pairs.map(|pairs| pairs.into_iter().map(move |(name, from)| (name, address(from)))),
        )
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Addresses(Map::nil(&ADDRESSES))
    }
}

impl PartialEq for Addresses {
    fn eq(&self, other: &Self) -> bool {
        self.pairs() == other.pairs()
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pairs().fmt(f)
    }
}

impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.pairs().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<BTreeMap<String, Address>>::deserialize(deserializer).map(Addresses::from_pairs)
    }
}

impl ToValue for Addresses {
    fn to_value(&self) -> Value {
        Value::Map(self.0.clone())
    }
}

/// A check of an instance or of its node.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct HealthCheck {
    pub node: Str,
    pub check_id: Str,
    pub name: Str,
    pub status: Str,
    pub notes: Str,
    pub output: Str,
    pub service_id: Str,
    pub service_name: Str,
    pub service_tags: Tags,
    pub kind: Str,
    pub namespace: Str,
    pub partition: Str,
    pub exposed_port: i64,
    pub peer_name: Str,
    pub definition: Definition,
    pub create_index: u64,
    pub modify_index: u64,
}

static CHECK_METHODS: &[ListMethod] = &[ListMethod {
    name: "AggregatedStatus",
    signature: Signature::fixed(&[]),
    call: |checks, _| {
        let checks = checks.iter().filter_map(|check| check.as_record::<HealthCheck>());
        Ok(Value::fixed(aggregated_status(checks.map(|check| (&*check.check_id, &*check.status)))))
    },
}];

row!(HealthCheck, "*api.HealthCheck", methods: CHECK_METHODS, {
    "Node" => node,
    "CheckID" => check_id,
    "Name" => name,
    "Status" => status,
    "Notes" => notes,
    "Output" => output,
    "ServiceID" => service_id,
    "ServiceName" => service_name,
    "ServiceTags" => service_tags,
    "Type" => kind,
    "Namespace" => namespace,
    "Partition" => partition,
    "ExposedPort" => exposed_port,
    "PeerName" => peer_name,
    "Definition" => definition,
    "CreateIndex" => create_index,
    "ModifyIndex" => modify_index,
});

impl From<ApiCheck> for HealthCheck {
    fn from(check: ApiCheck) -> Self {
        HealthCheck {
            node: check.node.into(),
            check_id: check.check_id.into(),
            name: check.name.into(),
            status: check.status.into(),
            notes: check.notes.into(),
            output: check.output.into(),
            service_id: check.service_id.into(),
            service_name: check.service_name.into(),
            service_tags: Tags::new(check.service_tags.unwrap_or_default()),
            kind: check.r#type.into(),
            exposed_port: check.exposed_port,
            definition: check.definition.into(),
            create_index: check.create_index,
            modify_index: check.modify_index,
            ..HealthCheck::default()
        }
    }
}

/// What a check does.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "named as in the HTTP API")]
pub struct Definition {
    pub http: Str,
    pub header: Headers,
    pub method: Str,
    pub body: Str,
    pub tls_server_name: Str,
    pub tls_skip_verify: bool,
    pub tcp: Str,
    pub tcp_use_tls: bool,
    pub udp: Str,
    pub grpc: Str,
    pub grpc_use_tls: bool,
    pub os_service: Str,
    pub session_name: Str,
    pub interval: Nanoseconds,
    pub timeout: Nanoseconds,
    pub deregister_after: Nanoseconds,
}

record!(Definition, "api.HealthCheckDefinition", {
    "HTTP" => http,
    "Header" => header,
    "Method" => method,
    "Body" => body,
    "TLSServerName" => tls_server_name,
    "TLSSkipVerify" => tls_skip_verify,
    "TCP" => tcp,
    "TCPUseTLS" => tcp_use_tls,
    "UDP" => udp,
    "GRPC" => grpc,
    "GRPCUseTLS" => grpc_use_tls,
    "OSService" => os_service,
    "SessionName" => session_name,
    "IntervalDuration" => interval,
    "TimeoutDuration" => timeout,
    "DeregisterCriticalServiceAfterDuration" => deregister_after,
    "Interval" => interval,
    "Timeout" => timeout,
    "DeregisterCriticalServiceAfter" => deregister_after,
});

impl ToValue for Definition {
    fn to_value(&self) -> Value {
        Value::record(self.clone())
    }
}

impl From<ApiDefinition> for Definition {
    fn from(from: ApiDefinition) -> Self {
        Definition {
            http: from.http.into(),
            header: Headers(from.header),
            method: from.method.into(),
            body: from.body.into(),
            tls_server_name: from.tls_server_name.into(),
            tls_skip_verify: from.tls_skip_verify,
            tcp: from.tcp.into(),
            tcp_use_tls: from.tcp_use_tls,
            udp: from.udp.into(),
            grpc: from.grpc.into(),
            grpc_use_tls: from.grpc_use_tls,
            os_service: from.os_service.into(),
            session_name: Str::default(),
            interval: Nanoseconds(from.interval.0),
            timeout: Nanoseconds(from.timeout.0),
            deregister_after: Nanoseconds(from.deregister_critical_service_after.0),
        }
    }
}

/// Headers of an HTTP check.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Headers(pub Option<BTreeMap<String, Vec<String>>>);

static HEADERS: MapType = MapType {
    name: "map[string][]string",
    keys: KeyKind::Str,
    element: "[]string",
    zero: || Value::List(consul_template_language::List::nil(consul_template_language::ListType::STRINGS)),
};

impl ToValue for Headers {
    fn to_value(&self) -> Value {
        Value::Map(match &self.0 {
            Some(headers) => Map::collect(
                &HEADERS,
                headers.iter().map(|(name, values)| (name.as_str(), Value::from(values.clone()))),
            ),
            None => Map::nil(&HEADERS),
        })
    }
}
