//! What configuration entries say about one service, summed up for the agent that runs its proxy.

use std::sync::Arc;

use consul_api::types::bytes::Blob;
use consul_api::types::config_entry::ConfigEntry;
use consul_rpc::messages::{encode, value};
use consul_rpc::server::CallError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Answer;
use super::call::Call;
use crate::config_entries::Kind;
use crate::rpc::ReadMeta;
use crate::rpc::config_entry::ConfigEntryGet;
use crate::rpc::remote::query_meta;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Request {
    name: String,
    upstreams: Option<Vec<String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    proxy_config: Map<String, Value>,
    upstream_configs: Map<String, Value>,
    mesh_gateway: Map<String, Value>,
    expose: Map<String, Value>,
}

const PROTOCOL: &str = "protocol";

/// Services override what holds for all proxies.
pub async fn resolve(call: Call<'_>) -> Answer {
    let sent: Request = call.arguments()?;
    let (meta, common) = entry(call, Kind::ProxyDefaults, "global").await?;
    let (own_meta, own) = entry(call, Kind::ServiceDefaults, &sent.name).await?;
    let mut proxy_config = common.as_deref().map(|entry| object(entry, "Config")).unwrap_or_default();
    let common_protocol = proxy_config.get(PROTOCOL).cloned();
    if let Some(protocol) = own.as_deref().and_then(protocol) {
        proxy_config.insert(PROTOCOL.to_owned(), protocol.into());
    }
    let mut upstream_configs = Map::new();
    for upstream in sent.upstreams.unwrap_or_default() {
        let (_, defaults) = entry(call, Kind::ServiceDefaults, &upstream).await?;
        let protocol = defaults.as_deref().and_then(protocol).map(Value::from);
        if let Some(protocol) = protocol.or_else(|| common_protocol.clone()) {
            upstream_configs.insert(upstream, serde_json::json!({ PROTOCOL: protocol }));
        }
    }
    let either = |name: &str| {
        let of = |entry: &Option<Arc<ConfigEntry>>| entry.as_deref().map(|entry| object(entry, name));
        of(&own).filter(|found| !found.is_empty()).or_else(|| of(&common)).unwrap_or_default()
    };
    let response = Response {
        proxy_config,
        upstream_configs,
        mesh_gateway: either("MeshGateway"),
        expose: either("Expose"),
    };
    let meta = ReadMeta { index: meta.index.max(own_meta.index), ..meta };
    Ok(value(&Blob::from(encode(&response, &query_meta(&meta)))))
}

async fn entry(
    call: Call<'_>,
    kind: Kind,
    name: &str,
) -> Result<(ReadMeta, Option<Arc<ConfigEntry>>), CallError> {
    call.read(&ConfigEntryGet { kind, name: name.to_owned() }).await
}

fn object(entry: &ConfigEntry, field: &str) -> Map<String, Value> {
    entry.fields.get(field).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn protocol(entry: &ConfigEntry) -> Option<&str> {
    entry.fields.get("Protocol").and_then(Value::as_str).filter(|protocol| !protocol.is_empty())
}
