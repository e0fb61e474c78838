//! `PreparedQuery.*`.

use consul_api::types::query::PreparedQuery;
use consul_rpc::messages::query::{
    ExecuteRemoteRequest, ExecuteRequest, ExecuteResponse, Explained, PreparedQueryRequest,
    PreparedQuerySpecificRequest, Queries,
};
use consul_rpc::messages::value;
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, refuse};
use super::health::row;
use crate::rpc::ReadMeta;
use crate::rpc::operation::query::{ExecuteRemote, ExplainQuery, execution, limit};
use crate::rpc::query::{QueryAnswer, QueryChange, QueryList};

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Apply" => apply(call).await,
        "Get" => list(call, QueryList::Id(call.arguments::<PreparedQuerySpecificRequest>()?.query_id)).await,
        "List" => list(call, QueryList::All).await,
        "Explain" => explain(call).await,
        "Execute" => execute(call).await,
        "ExecuteRemote" => execute_remote(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn apply(call: Call<'_>) -> Answer {
    let PreparedQueryRequest { op, query, .. } = call.arguments()?;
    let query: PreparedQuery = query.unwrap_or_default();
    let change = match op.as_str() {
        "create" => QueryChange::Create(query),
        "update" => QueryChange::Update(query),
        "delete" => QueryChange::Delete { id: query.id },
        _ => return refuse(format!("Unknown prepared query operation: {op}")),
    };
    Ok(value(&call.change(&change).await?))
}

async fn list(call: Call<'_>, request: QueryList) -> Answer {
    let (meta, queries) = call.read(&request).await?;
    answer(&Queries { queries }, &meta)
}

/// Indexes of what cannot be waited for are not told.
fn without_index(meta: ReadMeta) -> ReadMeta {
    ReadMeta { index: 0, ..meta }
}

async fn explain(call: Call<'_>) -> Answer {
    let sent: ExecuteRequest = call.arguments()?;
    let request = ExplainQuery { id_or_name: sent.query_id_or_name, agent_node: sent.agent.node };
    let (meta, query) = call.ask(&request).await?;
    answer(&Explained { query }, &without_index(meta))
}

async fn execute(call: Call<'_>) -> Answer {
    let request = execution(call.arguments()?);
    let (meta, found) = call.ask(&request).await?;
    answer(&response(found), &without_index(meta))
}

async fn execute_remote(call: Call<'_>) -> Answer {
    let sent: ExecuteRemoteRequest = call.arguments()?;
    let request = ExecuteRemote { query: sent.query, connect: sent.connect, limit: limit(sent.limit) };
    let (meta, found) = call.ask(&request).await?;
    answer(&response(found), &without_index(meta))
}

fn response(found: QueryAnswer) -> ExecuteResponse {
    ExecuteResponse {
        service: found.service,
        nodes: found.instances.into_iter().map(row).collect(),
        dns: found.dns,
        datacenter: found.datacenter,
        failovers: found.failovers,
    }
}
