//! `Session.*`.

use consul_api::types::session::Session;
use consul_rpc::messages::catalog::NodeSpecificRequest;
use consul_rpc::messages::session::{SessionRequest, SessionSpecificRequest, Sessions};
use consul_rpc::messages::value;
use consul_rpc::server::CallError;

use super::Answer;
use super::call::{Call, answer, refuse};
use crate::rpc::ReadMeta;
use crate::rpc::operation::session::{EndSession, OpenSession, RenewSession};
use crate::rpc::session::SessionList;

pub async fn call(call: Call<'_>, name: &str) -> Answer {
    match name {
        "Apply" => apply(call).await,
        "Get" => list(call, SessionList::Id(call.arguments::<SessionSpecificRequest>()?.id())).await,
        "List" => list(call, SessionList::All).await,
        "NodeSessions" => list(call, SessionList::Node(call.arguments::<NodeSpecificRequest>()?.node)).await,
        "Renew" => renew(call).await,
        _ => Err(CallError::UnknownMethod),
    }
}

async fn apply(call: Call<'_>) -> Answer {
    let SessionRequest { op, session, .. } = call.arguments::<SessionRequest<Session>>()?;
    match op.as_str() {
        "destroy" if session.id.is_empty() => refuse("Must provide ID"),
        "destroy" => {
            call.change(&EndSession { id: session.id }).await?;
            Ok(value(""))
        }
        "create" if session.node.is_empty() => refuse("Must provide Node"),
        "create" => Ok(value(&call.change(&OpenSession { session }).await?)),
        _ => refuse(format!("Invalid session operation {op:?}")),
    }
}

async fn list(call: Call<'_>, request: SessionList) -> Answer {
    let (meta, sessions) = call.read(&request).await?;
    answer(&Sessions { sessions }, &meta)
}

/// The freshness of a renewal is not told.
async fn renew(call: Call<'_>) -> Answer {
    let id = call.arguments::<SessionSpecificRequest>()?.id();
    let (_, renewed) = call.ask(&RenewSession { id }).await?;
    let index = renewed.as_ref().map_or(0, |session| session.modify_index);
    answer(
        &Sessions { sessions: renewed.map(|session| [session]) },
        &ReadMeta { index, ..ReadMeta::default() },
    )
}
