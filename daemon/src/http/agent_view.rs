//! What this agent knows of its own services and checks, in the shapes of `/v1/agent/*`.

use std::collections::BTreeMap;

use consul_api::types::agent::{AgentService, ConnectDefinition};
use consul_api::types::catalog::{NodeService, ProxyConfig};
use consul_api::types::duration::GoDuration;
use consul_api::types::health::HealthCheck;
use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Kinds whose proxy settings are shown.
const PROXY_KINDS: [&str; 5] =
    ["connect-proxy", "mesh-gateway", "ingress-gateway", "terminating-gateway", "api-gateway"];

/// A local service as its own agent shows it, without a content hash.
pub fn agent_service(service: &NodeService, datacenter: &str) -> AgentService {
    let is_proxy = PROXY_KINDS.contains(&service.kind.as_str());
    AgentService {
        kind: service.kind.clone(),
        id: service.id.clone(),
        service: service.service.clone(),
        tags: service.tags.clone().unwrap_or_default(),
        meta: service.meta.clone().unwrap_or_default(),
        port: service.port,
        address: service.address.clone(),
        ports: service.ports.clone(),
        socket_path: service.socket_path.clone(),
        tagged_addresses: service.tagged_addresses.clone(),
        weights: service.weights.unwrap_or_default(),
        enable_tag_override: service.enable_tag_override,
        content_hash: String::new(),
        proxy: is_proxy.then(|| service.proxy.clone()).filter(|proxy| *proxy != ProxyConfig::default()),
        connect: service.connect.native.then_some(ConnectDefinition { native: true, sidecar_service: None }),
        datacenter: datacenter.to_owned(),
    }
}

/// The same with its hash: 16 hexadecimal digits over everything that is shown. Health plays no part.
pub fn hashed_service(service: &NodeService, datacenter: &str) -> Result<AgentService, serde_json::Error> {
    let mut view = agent_service(service, datacenter);
    let digest = Sha256::digest(serde_json::to_vec(&view)?);
    view.content_hash = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(view)
}

/// A check below `/v1/agent/health/service`, which has a longer form than elsewhere: its definition shows every field,
/// and tags and type are not filled in.
pub struct LongCheck<'a>(pub &'a HealthCheck);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LongForm<'a> {
    node: &'a str,
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: &'a str,
    status: &'a str,
    notes: &'a str,
    output: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: Option<&'a [String]>,
    r#type: &'a str,
    definition: LongDefinition<'a>,
    create_index: u64,
    modify_index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LongDefinition<'a> {
    interval: GoDuration,
    timeout: GoDuration,
    deregister_critical_service_after: GoDuration,
    #[serde(rename = "HTTP")]
    http: &'a str,
    header: Option<&'a BTreeMap<String, Vec<String>>>,
    method: &'a str,
    body: &'a str,
    #[serde(rename = "TLSSkipVerify")]
    tls_skip_verify: bool,
    #[serde(rename = "TCP")]
    tcp: &'a str,
}

impl Serialize for LongCheck<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let check = self.0;
        let definition = &check.definition;
        LongForm {
            node: &check.node,
            check_id: &check.check_id,
            name: &check.name,
            status: &check.status,
            notes: &check.notes,
            output: &check.output,
            service_id: &check.service_id,
            service_name: &check.service_name,
            service_tags: None,
            r#type: "",
            definition: LongDefinition {
                interval: definition.interval,
                timeout: definition.timeout,
                deregister_critical_service_after: definition.deregister_critical_service_after,
                http: &definition.http,
                header: definition.header.as_ref(),
                method: &definition.method,
                body: &definition.body,
                tls_skip_verify: definition.tls_skip_verify,
                tcp: &definition.tcp,
            },
            create_index: check.create_index,
            modify_index: check.modify_index,
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(port: i64) -> NodeService {
        NodeService { id: "web".into(), service: "web".into(), port, ..NodeService::default() }
    }

    #[test]
    fn the_hash_follows_what_is_shown() {
        let hash = |service: &NodeService| hashed_service(service, "dc1").unwrap().content_hash;
        assert_eq!(hash(&web(1)), hash(&web(1)));
        assert_ne!(hash(&web(1)), hash(&web(2)));
        assert_eq!(hash(&web(1)).len(), 16);
    }

    #[test]
    fn proxy_settings_are_shown_of_proxies_only() {
        let proxy = ProxyConfig { destination_service_name: "web".into(), ..ProxyConfig::default() };
        let sidecar = NodeService { kind: "connect-proxy".into(), proxy: proxy.clone(), ..web(1) };
        assert_eq!(agent_service(&sidecar, "dc1").proxy, Some(proxy.clone()));
        assert_eq!(agent_service(&NodeService { proxy, ..web(1) }, "dc1").proxy, None);
    }

    #[test]
    fn the_long_form_shows_every_field_of_a_definition() {
        let check = HealthCheck { check_id: "c".into(), r#type: "ttl".into(), ..HealthCheck::default() };
        let shown = serde_json::to_value(LongCheck(&check)).unwrap();
        assert_eq!(shown["Type"], "");
        assert_eq!(shown["ServiceTags"], serde_json::Value::Null);
        assert_eq!(shown["Definition"]["Interval"], "0s");
        assert_eq!(shown["Definition"]["Header"], serde_json::Value::Null);
    }
}
