//! `/v1/query` and below: definitions of prepared queries, running and explaining them.

use std::sync::Arc;

use consul_api::types::catalog::{Node, NodeService};
use consul_api::types::duration::{GoDuration, Nanoseconds};
use consul_api::types::health::HealthCheck;
use consul_api::types::query::{PreparedQuery, QueryDns};
use consul_state::catalog::Instance;
use http::{Method, StatusCode};
use serde::Serialize;

use super::number::{parse_bool, parse_int};
use crate::agent::Agent;
use crate::cache::Caching;
use crate::handler;
use crate::http::decode::{self, REQUEST_DECODE_FAILED};
use crate::http::failure::Failure;
use crate::http::options;
use crate::http::reply::{MetaHeaders, Reply};
use crate::http::request::Request;
use crate::http::route::Route;
use crate::http::translate;
use crate::rpc::operation::query::ExplainQuery;
use crate::rpc::query::{QueryAnswer, QueryChange, QueryExecute, QueryList, QuerySource};
use crate::rpc::{ReadMeta, RpcError};

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/query", &[Method::GET, Method::POST], handler!(collection)),
    Route::prefix("/v1/query/", DEFINITION, handler!(below)).with_own_methods(),
];

const DEFINITION: &[Method] = &[Method::GET, Method::PUT, Method::DELETE];
const ACTION: &[Method] = &[Method::GET];
const HEADERS: MetaHeaders = MetaHeaders::IndexAndConsistency;

async fn collection(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    if request.method == Method::POST {
        return create(agent, request).await;
    }
    let options = options::read_options(&request, agent.wait_limits())?;
    match agent.read(&QueryList::All, &options).await {
        Ok((meta, queries)) => Ok(Reply::json(&request, &queries)?.with_meta(&meta, HEADERS)),
        Err(error) => failed(error),
    }
}

/// What the path names below `/v1/query/`.
enum Target {
    Definition(String),
    Execute(String),
    Explain(String),
}

impl Target {
    fn of(rest: &str) -> Self {
        let action = |name: &str| match rest.strip_suffix(name) {
            Some("") => Some(name.to_owned()),
            Some(before) => before.strip_suffix('/').map(str::to_owned),
            None => None,
        };
        if let Some(id) = action("execute") {
            Self::Execute(id)
        } else if let Some(id) = action("explain") {
            Self::Explain(id)
        } else {
            Self::Definition(rest.to_owned())
        }
    }
}

/// The methods depend on the path's end, which the route table cannot tell, so they are checked here.
async fn below(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let target = Target::of(&request.rest_text());
    let methods = if matches!(target, Target::Definition(_)) { DEFINITION } else { ACTION };
    if request.method == Method::OPTIONS {
        let empty = serde_json::Map::new();
        return Ok(Reply::json(&request, &empty)?.with_header("allow", format!("OPTIONS,{}", list(methods))));
    }
    if !methods.contains(&request.method) {
        let text = format!("method {} not allowed", request.method);
        return Ok(Reply::text(StatusCode::METHOD_NOT_ALLOWED, text).with_header("allow", list(methods)));
    }
    match target {
        Target::Execute(id_or_name) => execute(&agent, &request, id_or_name).await,
        Target::Explain(id_or_name) => explain(&agent, &request, &id_or_name).await,
        Target::Definition(id) => match request.method {
            Method::PUT => update(agent, request, id).await,
            Method::DELETE => delete(agent, &request, id).await,
            _ => get(&agent, &request, id).await,
        },
    }
}

fn list(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(",")
}

async fn create(agent: Arc<Agent>, mut request: Request) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let query: PreparedQuery = decode::strict(&body, REQUEST_DECODE_FAILED)?;
    let options = options::write_options(&request);
    let (_, id) = agent.operate(&QueryChange::Create(query), &(&options).into()).await?;
    Reply::json(&request, &serde_json::json!({ "ID": id }))
}

async fn update(agent: Arc<Agent>, mut request: Request, id: String) -> Result<Reply, Failure> {
    let body = request.read_json_body().await?;
    let query: PreparedQuery = if body.trim_ascii().is_empty() {
        PreparedQuery::default()
    } else {
        decode::strict(&body, REQUEST_DECODE_FAILED)?
    };
    let change = QueryChange::Update(PreparedQuery { id, ..query });
    agent.operate(&change, &(&options::write_options(&request)).into()).await?;
    Ok(Reply::empty())
}

async fn delete(agent: Arc<Agent>, request: &Request, id: String) -> Result<Reply, Failure> {
    agent.operate(&QueryChange::Delete { id }, &(&options::write_options(request)).into()).await?;
    Ok(Reply::empty())
}

async fn get(agent: &Agent, request: &Request, id: String) -> Result<Reply, Failure> {
    let options = options::read_options(request, agent.wait_limits())?;
    match agent.read(&QueryList::Id(id), &options).await {
        Ok((meta, queries)) => Ok(Reply::json(request, &queries)?.with_meta(&meta, HEADERS)),
        Err(error) => failed(error),
    }
}

/// Lookups that fail on the server's side tell of their freshness; a query that is not there does not.
fn failed(error: RpcError) -> Result<Reply, Failure> {
    let failure = Failure::from(error);
    if failure.status == StatusCode::NOT_FOUND {
        return Err(failure);
    }
    Ok(Reply::from_failure(failure).with_meta(&ReadMeta::default(), MetaHeaders::Index))
}

/// The answer of an explanation.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Explanation<'a> {
    query: &'a PreparedQuery,
    index: u64,
    last_contact: Nanoseconds,
    known_leader: bool,
    consistency_level: &'static str,
}

async fn explain(agent: &Arc<Agent>, request: &Request, id_or_name: &str) -> Result<Reply, Failure> {
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    let explain =
        ExplainQuery { id_or_name: id_or_name.to_owned(), agent_node: agent.node_name().to_owned() };
    let (meta, query) = match agent.operate(&explain, &options).await {
        Ok(found) => found,
        Err(error) => return failed(error),
    };
    let body = Explanation {
        query: &query,
        index: 0,
        last_contact: Nanoseconds(GoDuration::from(meta.last_contact).0),
        known_leader: meta.known_leader,
        consistency_level: meta.consistency.as_str(),
    };
    Ok(Reply::json(request, &body)?.with_meta(&meta, HEADERS))
}

/// The answer of an execution. Instances appear as they were registered: what was left out stays `null`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    service: &'a str,
    nodes: Vec<RawInstance<'a>>,
    #[serde(rename = "DNS")]
    dns: &'a QueryDns,
    datacenter: &'a str,
    failovers: i64,
    index: u64,
    last_contact: Nanoseconds,
    known_leader: bool,
    consistency_level: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RawInstance<'a> {
    node: &'a Node,
    service: &'a NodeService,
    checks: &'a [Arc<HealthCheck>],
}

impl<'a> From<&'a Instance> for RawInstance<'a> {
    fn from(row: &'a Instance) -> Self {
        Self { node: &row.node, service: &row.service, checks: &row.checks }
    }
}

async fn execute(agent: &Arc<Agent>, request: &Request, id_or_name: String) -> Result<Reply, Failure> {
    let execution = execution(agent, request, id_or_name)?;
    let options = options::read_options(request, agent.wait_limits())?.at_once();
    let found = match agent.caching(&options) {
        Caching::Bypass => agent.operate(&execution, &options).await,
        // Through the cache a query that is not there is a failed fetch like any other.
        Caching::Use => match agent.execute_query_cached(execution, &options).await {
            Err(RpcError::QueryNotFound) => Err(RpcError::refused(RpcError::QueryNotFound.to_string())),
            other => other,
        },
    };
    let (meta, mut answer) = match found {
        Ok(found) => found,
        Err(error) => return failed(error),
    };
    translate::instances(agent, &answer.datacenter, &mut answer.instances);
    Ok(Reply::json(request, &body_of(&answer, &meta))?.with_meta(&meta, HEADERS))
}

fn body_of<'a>(answer: &'a QueryAnswer, meta: &ReadMeta) -> Execution<'a> {
    Execution {
        service: &answer.service,
        nodes: answer.instances.iter().map(RawInstance::from).collect(),
        dns: &answer.dns,
        datacenter: &answer.datacenter,
        failovers: answer.failovers,
        index: 0,
        last_contact: Nanoseconds(GoDuration::from(meta.last_contact).0),
        known_leader: meta.known_leader,
        consistency_level: meta.consistency.as_str(),
    }
}

fn execution(agent: &Agent, request: &Request, id_or_name: String) -> Result<QueryExecute, Failure> {
    let params = &request.params;
    let limit = match params.non_empty("limit") {
        None => 0,
        Some(text) => parse_int(text).map_err(|reason| Failure::internal(format!("Bad limit: {reason}")))?,
    };
    let connect = match params.non_empty("connect") {
        None => false,
        Some(text) => parse_bool(text)
            .map_err(|reason| Failure::internal(format!("Error parsing 'connect' value: {reason}")))?,
    };
    let near = params.first("near").unwrap_or_default().to_owned();
    Ok(QueryExecute {
        id_or_name,
        source: QuerySource { agent_node: agent.node_name().to_owned(), ip: request.source_ip(), near },
        connect,
        limit: usize::try_from(limit).ok().filter(|limit| *limit > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_path_says_what_is_meant() {
        let kind = |rest| match Target::of(rest) {
            Target::Definition(id) => format!("definition {id}"),
            Target::Execute(id) => format!("execute {id}"),
            Target::Explain(id) => format!("explain {id}"),
        };
        assert_eq!(kind("a"), "definition a");
        assert_eq!(kind("a/execute"), "execute a");
        assert_eq!(kind("a/b/explain"), "explain a/b");
        assert_eq!(kind("a/execute/b"), "definition a/execute/b");
        assert_eq!(kind("execute"), "execute execute");
        assert_eq!(kind("preexecute"), "definition preexecute");
        assert_eq!(kind(""), "definition ");
    }
}
