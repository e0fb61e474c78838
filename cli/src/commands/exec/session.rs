//! The session that an execution lives in. It ties every key to the caller's life.

use consul_api::client::{AgentSelf, Client, ClientError, QueryOptions, WriteOptions};
use consul_api::types::session::Session;

use crate::failure::Failure;
use crate::output;

const TTL: &str = "15s";

/// Where the session is created.
pub enum Origin {
    /// On the agent's own node.
    Local,
    /// In another datacenter, which does not know our node: bound to a server there, held by its TTL alone.
    Foreign { datacenter: String, node: String, via: String },
}

impl Origin {
    pub async fn find(
        client: &Client,
        own: &AgentSelf,
        datacenter: &str,
        verbose: bool,
    ) -> Result<Self, Failure> {
        let own_datacenter = own.config_text("Datacenter");
        if datacenter.is_empty() || datacenter == own_datacenter {
            return Ok(Self::Local);
        }
        let node = server_of(client, datacenter).await?;
        if verbose {
            output::print_line("Remote exec in foreign datacenter, using Session TTL")?;
            output::print_line(&format!("Binding session to remote node {node}@{datacenter}"))?;
        }
        let via = format!("{}@{own_datacenter}", own.config_text("NodeName"));
        Ok(Self::Foreign { datacenter: datacenter.to_owned(), node, via })
    }

    pub fn datacenter(&self) -> Option<String> {
        match self {
            Self::Local => None,
            Self::Foreign { datacenter, .. } => Some(datacenter.clone()),
        }
    }

    pub async fn open(&self, client: &Client, options: &WriteOptions) -> Result<String, ClientError> {
        let session = Session { behavior: "delete".to_owned(), ttl: TTL.to_owned(), ..Session::default() };
        let session = match self {
            Self::Local => Session { name: "Remote Exec".to_owned(), ..session },
            Self::Foreign { node, via, .. } => Session {
                name: format!("Remote Exec via {via}"),
                node: node.clone(),
                node_checks: Some(Vec::new()),
                checks: Some(Vec::new()),
                ..session
            },
        };
        client.sessions().create(&session, options).await
    }
}

/// A healthy server of the datacenter.
async fn server_of(client: &Client, datacenter: &str) -> Result<String, Failure> {
    let failed = |reason: String| {
        Failure::new(format!(
            "Failed to create session: Failed to find Consul server in remote datacenter: {reason}"
        ))
    };
    let options = QueryOptions::in_datacenter(datacenter);
    let call = client.get("/v1/health/service/consul").param("passing", "1").query(&options);
    let found: Vec<serde_json::Value> =
        call.fetch_value().await.map_err(|error| failed(error.to_string()))?;
    let node = found.first().and_then(|entry| entry["Node"]["Node"].as_str());
    node.map(str::to_owned).ok_or_else(|| failed(format!("no healthy server in datacenter {datacenter}")))
}
