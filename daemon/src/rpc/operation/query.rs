//! Changing, explaining and running prepared queries.

use std::sync::Arc;
use std::time::Duration;

use consul_api::types::query::PreparedQuery;
use consul_rpc::messages::query::{
    ExecuteRemoteRequest, ExecuteRequest, ExecuteResponse, Explained, PreparedQueryRequest,
};
use consul_rpc::messages::{QuerySource as SentSource, encode};
use tokio::time::timeout;

use super::here;
use crate::agent::Agent;
use crate::rpc::path::{Need, Repeat};
use crate::rpc::query::{
    QueryAnswer, QueryChange, QueryExecute, QueryInstances, QueryResolve, QuerySource, QueryWrite,
    failover_order,
};
use crate::rpc::remote::{Operation, answer, instance, query_options, whole, write_request};
use crate::rpc::write::Write;
use crate::rpc::{ReadMeta, ReadOptions, RpcError, Token};
use crate::server::Server;

/// Creates, replaces or deletes a definition; the answer is its id.
impl Operation for QueryChange {
    type Reply = String;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    fn repeat(&self) -> Repeat {
        Repeat::IfNotSent
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, String), RpcError> {
        // What is wrong with the id is said by the write.
        let present = self.target().and_then(|id| {
            let version = server.store.version();
            version.resolve_query(id).map(|found| found.query.name.clone())
        });
        let request = QueryWrite { change: self.clone(), present };
        request.authorize(&agent.authorize(&options.token)?)?;
        Ok((here(), server.write(request).await?))
    }

    fn method(&self) -> &'static str {
        "PreparedQuery.Apply"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let (op, query) = match self {
            Self::Create(query) => ("create", query.clone()),
            Self::Update(query) => ("update", query.clone()),
            Self::Delete { id } => ("delete", PreparedQuery { id: id.clone(), ..PreparedQuery::default() }),
        };
        let (datacenter, op) = (options.datacenter.clone(), op.to_owned());
        encode(&PreparedQueryRequest { datacenter, op, query: Some(query) }, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, String), RpcError> {
        Ok((here(), whole(body)?))
    }
}

/// The definition that an id or name leads to, as it would run.
pub struct ExplainQuery {
    pub id_or_name: String,
    /// The agent that was asked.
    pub agent_node: String,
}

impl Operation for ExplainQuery {
    type Reply = Arc<PreparedQuery>;

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, Arc<PreparedQuery>), RpcError> {
        let resolve = QueryResolve { id_or_name: &self.id_or_name, shown: true };
        server.read(&resolve, options, &agent.authorize(&options.token)?).await
    }

    fn method(&self) -> &'static str {
        "PreparedQuery.Explain"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let source = QuerySource { agent_node: self.agent_node.clone(), ..QuerySource::default() };
        let own =
            ExecuteRequest { query_id_or_name: self.id_or_name.clone(), ..execute_request(&source, options) };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Arc<PreparedQuery>), RpcError> {
        answer::<Explained<Arc<PreparedQuery>>>(body).map(|(meta, answer)| (meta, answer.query))
    }
}

fn execute_request(source: &QuerySource, options: &ReadOptions) -> ExecuteRequest {
    let datacenter = options.datacenter.clone();
    ExecuteRequest {
        source: SentSource {
            datacenter: datacenter.clone(),
            node: source.near.clone(),
            ip: source.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            ..SentSource::default()
        },
        agent: SentSource {
            datacenter: datacenter.clone(),
            node: source.agent_node.clone(),
            ..SentSource::default()
        },
        datacenter,
        ..ExecuteRequest::default()
    }
}

/// The request that arguments spell.
pub fn execution(sent: ExecuteRequest) -> QueryExecute {
    QueryExecute {
        id_or_name: sent.query_id_or_name,
        source: QuerySource {
            agent_node: sent.agent.node,
            ip: sent.source.ip.parse().ok(),
            near: sent.source.node,
        },
        connect: sent.connect,
        limit: limit(sent.limit),
    }
}

/// Zero and less stand for no limit.
pub fn limit(sent: i64) -> Option<usize> {
    usize::try_from(sent).ok().filter(|limit| *limit > 0)
}

fn sent_limit(limit: Option<usize>) -> i64 {
    limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(0)
}

fn received(sent: ExecuteResponse) -> QueryAnswer {
    QueryAnswer {
        service: sent.service,
        instances: sent.nodes.into_iter().map(instance).collect(),
        dns: sent.dns,
        datacenter: sent.datacenter,
        failovers: sent.failovers,
    }
}

/// Runs a query, in other datacenters too if the asked one has no instance.
impl Operation for QueryExecute {
    type Reply = QueryAnswer;

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, QueryAnswer), RpcError> {
        let options = options.clone().at_once();
        let authorizer = agent.authorize(&options.token)?;
        let resolve = QueryResolve { id_or_name: &self.id_or_name, shown: false };
        let (_, query) = server.read(&resolve, &options, &authorizer).await?;
        let options = with_token_of(&query, options);
        let read = QueryInstances { service: &query.service, source: &self.source, connect: self.connect };
        let (meta, instances) = server.read(&read, &options, &agent.authorize(&options.token)?).await?;
        let mut answer = QueryAnswer {
            service: query.service.service.clone(),
            instances,
            dns: query.dns.clone(),
            datacenter: agent.identity.datacenter.clone(),
            failovers: 0,
        };
        if answer.instances.is_empty() {
            fail_over(agent, self, &query, &options, &mut answer).await;
        }
        answer.instances.truncate(self.limit.unwrap_or(usize::MAX));
        Ok((meta, answer))
    }

    fn method(&self) -> &'static str {
        "PreparedQuery.Execute"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = ExecuteRequest {
            query_id_or_name: self.id_or_name.clone(),
            limit: sent_limit(self.limit),
            connect: self.connect,
            ..execute_request(&self.source, options)
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, QueryAnswer), RpcError> {
        answer::<ExecuteResponse>(body).map(|(meta, sent)| (meta, received(sent)))
    }
}

fn with_token_of(query: &PreparedQuery, options: ReadOptions) -> ReadOptions {
    if query.token.is_empty() {
        return options;
    }
    ReadOptions { token: Token::from(query.token.as_str()), ..options }
}

/// A datacenter that takes longer is passed over like one that fails: the caller has no time to wait for each.
const FAILOVER_LIMIT: Duration = Duration::from_secs(3);

/// Asks one datacenter after the other until one has instances.
async fn fail_over(
    agent: &Arc<Agent>,
    asked: &QueryExecute,
    query: &PreparedQuery,
    options: &ReadOptions,
    answer: &mut QueryAnswer,
) {
    let own = agent.identity.datacenter.as_str();
    let others: Vec<String> = agent.datacenters().await.into_iter().filter(|name| name != own).collect();
    let remote = ExecuteRemote { query: query.clone(), connect: asked.connect, limit: asked.limit };
    for datacenter in failover_order(&query.service.failover, &others) {
        answer.failovers += 1;
        let there = ReadOptions { datacenter: datacenter.to_owned(), forwarded: false, ..options.clone() };
        let asked = timeout(FAILOVER_LIMIT, agent.operate(&remote, &there)).await;
        match asked.unwrap_or_else(|_| Err(RpcError::refused("no answer in time"))) {
            Ok((_, theirs)) => {
                answer.instances = theirs.instances;
                datacenter.clone_into(&mut answer.datacenter);
            }
            Err(error) => {
                tracing::warn!(
                    target: "agent.server.prepared_query", %datacenter, %error,
                    "Failed querying for service in datacenter"
                );
            }
        }
        if !answer.instances.is_empty() {
            return;
        }
    }
}

/// Runs a query that another datacenter has resolved and has no instance for.
pub struct ExecuteRemote {
    pub query: PreparedQuery,
    pub connect: bool,
    pub limit: Option<usize>,
}

impl Operation for ExecuteRemote {
    type Reply = QueryAnswer;

    /// Distances from elsewhere mean nothing here, so instances come in random order.
    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, QueryAnswer), RpcError> {
        let options = with_token_of(&self.query, options.clone().at_once());
        let authorizer = agent.authorize(&options.token)?;
        let service =
            consul_api::types::query::ServiceQuery { near: String::new(), ..self.query.service.clone() };
        let source = QuerySource::default();
        let read = QueryInstances { service: &service, source: &source, connect: self.connect };
        let (meta, mut instances) = server.read(&read, &options, &authorizer).await?;
        instances.truncate(self.limit.unwrap_or(usize::MAX));
        let answer = QueryAnswer {
            service: service.service,
            instances,
            dns: self.query.dns.clone(),
            datacenter: agent.identity.datacenter.clone(),
            failovers: 0,
        };
        Ok((meta, answer))
    }

    fn method(&self) -> &'static str {
        "PreparedQuery.ExecuteRemote"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = ExecuteRemoteRequest {
            datacenter: options.datacenter.clone(),
            query: self.query.clone(),
            limit: sent_limit(self.limit),
            connect: self.connect,
        };
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, QueryAnswer), RpcError> {
        answer::<ExecuteResponse>(body).map(|(meta, sent)| (meta, received(sent)))
    }
}
