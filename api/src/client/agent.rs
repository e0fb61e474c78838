//! `/v1/agent`: the agent that answers, its own services and checks, and its gossip pool.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::options::{Answer, QueryOptions};
use super::secret::Secret;
use super::stream::LineStream;
use super::{Client, ClientError};
use crate::types::StringMap;
use crate::types::agent::{AgentService, CheckDefinition, ServiceDefinition};
use crate::types::coordinate::Coordinate;
use crate::types::health::{HealthCheck, Status};
use crate::types::operator::Member;

/// What an agent says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AgentSelf {
    /// Datacenter, node name, version and the like.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// The whole configuration as the agent runs it.
    pub debug_config: serde_json::Map<String, serde_json::Value>,
    pub coord: Option<Coordinate>,
    pub member: Member,
    /// Numbers by section; empty on agents that keep them to `consul info`.
    pub stats: BTreeMap<String, BTreeMap<String, String>>,
    pub meta: StringMap,
}

impl AgentSelf {
    /// A text of the `config` section, empty if the agent does not send it.
    pub fn config_text(&self, name: &str) -> &str {
        self.config.get(name).and_then(serde_json::Value::as_str).unwrap_or_default()
    }
}

/// Telemetry of the last full interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Metrics {
    pub timestamp: String,
    pub gauges: Vec<MetricValue>,
    pub points: Vec<serde_json::Value>,
    pub counters: Vec<MetricSample>,
    pub samples: Vec<MetricSample>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricValue {
    pub name: String,
    pub value: f64,
    pub labels: StringMap,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricSample {
    pub name: String,
    pub count: i64,
    pub rate: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub stddev: f64,
    pub labels: StringMap,
}

/// State and output of a check that its owner reports.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CheckUpdate<'a> {
    status: Status,
    output: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TokenUpdate<'a> {
    token: &'a str,
}

pub struct Agent<'c>(pub(super) &'c Client);

impl Agent<'_> {
    /// Named so because `self` is taken.
    pub async fn self_info(&self) -> Result<AgentSelf, ClientError> {
        self.0.get("/v1/agent/self").fetch_value().await
    }

    /// The same as a document, for tools that show all of it.
    pub async fn self_document(&self) -> Result<serde_json::Value, ClientError> {
        self.0.get("/v1/agent/self").fetch_value().await
    }

    /// What the machine looks like to the agent. Needs an operator's token where access control is on.
    pub async fn host(&self) -> Result<serde_json::Value, ClientError> {
        self.0.get("/v1/agent/host").fetch_value().await
    }

    /// Members of the LAN or WAN pool; of one network segment if it is not empty (`_all` for every one).
    pub async fn members(&self, wan: bool, segment: &str) -> Result<Vec<Member>, ClientError> {
        let request = self.0.get("/v1/agent/members").optional("segment", segment);
        let request = if wan { request.param("wan", "1") } else { request };
        request.fetch_value().await
    }

    /// The agent's own services by id.
    pub async fn services(&self, filter: &str) -> Result<BTreeMap<String, AgentService>, ClientError> {
        self.0.get("/v1/agent/services").optional("filter", filter).fetch_value().await
    }

    /// One of the agent's services. With [`QueryOptions::hash`] it waits until that service changes.
    pub async fn service(
        &self,
        id: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<AgentService>>, ClientError> {
        self.0.get("/v1/agent/service/").segment(id).query(options).find().await
    }

    /// The agent's own checks by id.
    pub async fn checks(&self, filter: &str) -> Result<BTreeMap<String, HealthCheck>, ClientError> {
        self.0.get("/v1/agent/checks").optional("filter", filter).fetch_value().await
    }

    pub async fn register_service(&self, definition: &ServiceDefinition) -> Result<(), ClientError> {
        self.0.put("/v1/agent/service/register").json(definition).done().await
    }

    /// Registers, and removes checks of an earlier registration that this one does not have.
    pub async fn replace_service(&self, definition: &ServiceDefinition) -> Result<(), ClientError> {
        let request = self.0.put("/v1/agent/service/register").param("replace-existing-checks", "true");
        request.json(definition).done().await
    }

    pub async fn deregister_service(&self, id: &str) -> Result<(), ClientError> {
        self.0.put("/v1/agent/service/deregister/").segment(id).done().await
    }

    pub async fn register_check(&self, definition: &CheckDefinition) -> Result<(), ClientError> {
        self.0.put("/v1/agent/check/register").json(definition).done().await
    }

    pub async fn deregister_check(&self, id: &str) -> Result<(), ClientError> {
        self.0.put("/v1/agent/check/deregister/").segment(id).done().await
    }

    /// Reports the state of a TTL check.
    pub async fn update_check(&self, id: &str, status: Status, output: &str) -> Result<(), ClientError> {
        let update = CheckUpdate { status, output };
        self.0.put("/v1/agent/check/update/").segment(id).json(&update).done().await
    }

    /// Switches maintenance of the whole node; `reason` is shown to users.
    pub async fn node_maintenance(&self, enable: bool, reason: &str) -> Result<(), ClientError> {
        self.0
            .put("/v1/agent/maintenance")
            .param("enable", enable.to_string())
            .optional("reason", reason)
            .done()
            .await
    }

    pub async fn service_maintenance(&self, id: &str, enable: bool, reason: &str) -> Result<(), ClientError> {
        self.0
            .put("/v1/agent/service/maintenance/")
            .segment(id)
            .param("enable", enable.to_string())
            .optional("reason", reason)
            .done()
            .await
    }

    pub async fn join(&self, address: &str, wan: bool) -> Result<(), ClientError> {
        let request = self.0.put("/v1/agent/join/").segment(address);
        let request = if wan { request.param("wan", "1") } else { request };
        request.done().await
    }

    /// Makes the agent leave and end.
    pub async fn leave(&self) -> Result<(), ClientError> {
        self.0.put("/v1/agent/leave").done().await
    }

    /// Declares a failed node to have left; `prune` forgets it altogether.
    pub async fn force_leave(&self, node: &str, prune: bool, wan: bool) -> Result<(), ClientError> {
        let request = self.0.put("/v1/agent/force-leave/").segment(node);
        request.flag("prune", prune).flag("wan", wan).done().await
    }

    pub async fn reload(&self) -> Result<(), ClientError> {
        self.0.put("/v1/agent/reload").done().await
    }

    /// Gives the agent a token to use; `kind` is `default`, `agent`, `agent_recovery`, `replication` and so on.
    pub async fn set_token(&self, kind: &str, token: &Secret) -> Result<(), ClientError> {
        let update = TokenUpdate { token: token.expose() };
        self.0.put("/v1/agent/token/").segment(kind).json(&update).done().await
    }

    /// The agent's log from now on, line by line.
    pub async fn monitor(&self, level: &str, json: bool) -> Result<LineStream, ClientError> {
        let request = self.0.get("/v1/agent/monitor").optional("loglevel", level);
        let request = if json { request.param("logjson", "true") } else { request };
        Ok(request.without_limit().stream().await?.value.lines())
    }

    pub async fn metrics(&self) -> Result<Metrics, ClientError> {
        self.0.get("/v1/agent/metrics").fetch_value().await
    }

    /// A runtime profile: `goroutine`, `heap`, `profile`, `trace`. The last two take `seconds` to make.
    pub async fn profile(&self, kind: &str, seconds: Option<u64>) -> Result<Bytes, ClientError> {
        let request = self.0.get("/debug/pprof/").segment(kind).without_limit();
        let request = match seconds {
            Some(seconds) => request.param("seconds", seconds.to_string()),
            None => request,
        };
        Ok(request.fetch_bytes().await?.value)
    }
}
