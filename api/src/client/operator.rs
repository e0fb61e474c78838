//! `/v1/operator`: what people do to a cluster.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::operator::{AutopilotConfig, AutopilotHealth, KeyringResponse, RaftConfiguration};

/// Numbers of services by datacenter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UsageReport {
    pub usage: BTreeMap<String, ServiceUsage>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceUsage {
    pub nodes: i64,
    pub services: i64,
    pub service_instances: i64,
    pub connect_service_instances: BTreeMap<String, i64>,
    pub billable_service_instances: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TransferOutcome {
    success: bool,
}

/// A key ring entry in base64. A secret, hence no `Debug`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyBody<'k> {
    key: &'k str,
}

pub struct Operator<'c>(pub(super) &'c Client);

impl Operator<'_> {
    pub async fn raft_configuration(&self, options: &QueryOptions) -> Result<RaftConfiguration, ClientError> {
        self.0.get("/v1/operator/raft/configuration").query(options).fetch_value().await
    }

    pub async fn raft_remove_peer_by_id(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/operator/raft/peer").param("id", id).write(options).done().await
    }

    pub async fn raft_remove_peer_by_address(
        &self,
        address: &str,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        self.0.delete("/v1/operator/raft/peer").param("address", address).write(options).done().await
    }

    /// Hands leadership to the server `id`, or to any if it is empty. Agents before 1.15 do not have it.
    pub async fn raft_transfer_leader(&self, id: &str, options: &WriteOptions) -> Result<bool, ClientError> {
        let request = self.0.post("/v1/operator/raft/transfer-leader").optional("id", id).write(options);
        Ok(request.fetch_value::<TransferOutcome>().await?.success)
    }

    pub async fn autopilot_configuration(
        &self,
        options: &QueryOptions,
    ) -> Result<AutopilotConfig, ClientError> {
        self.0.get("/v1/operator/autopilot/configuration").query(options).fetch_value().await
    }

    /// Replaces the whole configuration.
    pub async fn set_autopilot_configuration(
        &self,
        config: &AutopilotConfig,
        options: &WriteOptions,
    ) -> Result<bool, ClientError> {
        self.0.put("/v1/operator/autopilot/configuration").write(options).json(config).fetch_value().await
    }

    /// Replaces the configuration if its modify index still is that of `config`.
    pub async fn cas_autopilot_configuration(
        &self,
        config: &AutopilotConfig,
        options: &WriteOptions,
    ) -> Result<bool, ClientError> {
        let request = self.0.put("/v1/operator/autopilot/configuration");
        let request = request.param("cas", config.modify_index.to_string());
        request.write(options).json(config).fetch_value().await
    }

    /// An unhealthy cluster is an answer, not an error.
    pub async fn autopilot_health(&self, options: &QueryOptions) -> Result<AutopilotHealth, ClientError> {
        let request = self.0.get("/v1/operator/autopilot/health").query(options);
        Ok(request.fetch_also(429).await?.value)
    }

    /// The state as a document: its fields differ between releases. Agents before 1.9 do not have it.
    pub async fn autopilot_state(&self, options: &QueryOptions) -> Result<serde_json::Value, ClientError> {
        self.0.get("/v1/operator/autopilot/state").query(options).fetch_value().await
    }

    /// Keys in use on every ring; `relay_factor` (0 to 5) sends answers over that many other nodes as well.
    pub async fn keyring_list(
        &self,
        relay_factor: u8,
        local_only: bool,
    ) -> Result<Vec<KeyringResponse>, ClientError> {
        let request = self.relayed(self.0.get("/v1/operator/keyring"), relay_factor);
        let request = if local_only { request.param("local-only", "true") } else { request };
        request.fetch_value().await
    }

    /// Adds a base64 key to every ring.
    pub async fn keyring_install(&self, key: &str, relay_factor: u8) -> Result<(), ClientError> {
        let request = self.relayed(self.0.post("/v1/operator/keyring"), relay_factor);
        request.json(&KeyBody { key }).done().await
    }

    /// Makes an installed key the one that messages are encrypted with.
    pub async fn keyring_use(&self, key: &str, relay_factor: u8) -> Result<(), ClientError> {
        let request = self.relayed(self.0.put("/v1/operator/keyring"), relay_factor);
        request.json(&KeyBody { key }).done().await
    }

    pub async fn keyring_remove(&self, key: &str, relay_factor: u8) -> Result<(), ClientError> {
        let request = self.relayed(self.0.delete("/v1/operator/keyring"), relay_factor);
        request.json(&KeyBody { key }).done().await
    }

    /// How many services there are, here or in all datacenters.
    pub async fn usage(
        &self,
        global: bool,
        options: &QueryOptions,
    ) -> Result<Answer<UsageReport>, ClientError> {
        self.0.get("/v1/operator/usage").flag("global", global).query(options).fetch().await
    }

    fn relayed<'r>(
        &self,
        request: super::request::Request<'r>,
        relay_factor: u8,
    ) -> super::request::Request<'r> {
        match relay_factor {
            0 => request,
            _ => request.param("relay-factor", relay_factor.to_string()),
        }
    }
}
