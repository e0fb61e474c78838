//! `/v1/agent/*` for the agent as a whole: members, maintenance, reload, joining and leaving.

use std::sync::Arc;

use consul_acl::{Access, Resource};
use consul_api::types::operator::Member;
use consul_filter::{Field, Kind, Schema, Subject as Filtered, Value};
use http::{Method, StatusCode};

use super::local::{self, Toggle};
use super::selection;
use crate::agent::Agent;
use crate::handler;
use crate::http::failure::Failure;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::http::route::Route;
use crate::local::maintenance::Subject;
use crate::rpc::write::require;
use crate::services::sync;

const GET: &[Method] = &[Method::GET];
const PUT: &[Method] = &[Method::PUT];

pub const ROUTES: &[Route] = &[
    Route::exact("/v1/agent/members", GET, handler!(members)),
    Route::exact("/v1/agent/maintenance", PUT, handler!(maintenance)),
    Route::exact("/v1/agent/reload", PUT, handler!(reload)),
    Route::prefix("/v1/agent/join/", PUT, handler!(join)),
    Route::exact("/v1/agent/leave", PUT, handler!(leave)),
    Route::prefix("/v1/agent/force-leave/", PUT, handler!(force_leave)),
    Route::prefix("/v1/agent/token/", PUT, handler!(token)),
];

/// `wan` counts only with a value: bare, it always meant the LAN.
async fn members(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    check_segment(&agent, &request)?;
    let filter = selection::filter(&request, Schema::Custom(MEMBER_FIELDS))?;
    let authorizer = agent.authorize(&local::token(&request))?;
    let wan = request.params.non_empty("wan").is_some();
    if wan && agent.server.is_none() {
        return Reply::json(&request, &None::<Vec<Member>>);
    }
    let mut members = if wan { agent.wan_members() } else { agent.lan_members() };
    members.retain(|member| authorizer.allows(Resource::Node(&member.name), Access::Read));
    if let Some(filter) = filter {
        members.retain(|member| filter.matches(&MemberRow(member)));
    }
    Reply::json(&request, &members)
}

/// What a filter may ask about members.
const MEMBER_FIELDS: &[Field] = &[
    Field { name: "Name", kind: Kind::Str },
    Field { name: "Addr", kind: Kind::Str },
    Field { name: "Port", kind: Kind::Int },
    Field { name: "Tags", kind: Kind::StringMap },
    Field { name: "Status", kind: Kind::Int },
    Field { name: "ProtocolMin", kind: Kind::Int },
    Field { name: "ProtocolMax", kind: Kind::Int },
    Field { name: "ProtocolCur", kind: Kind::Int },
    Field { name: "DelegateMin", kind: Kind::Int },
    Field { name: "DelegateMax", kind: Kind::Int },
    Field { name: "DelegateCur", kind: Kind::Int },
];

struct MemberRow<'a>(&'a Member);

impl Filtered for MemberRow<'_> {
    fn field(&self, name: &str) -> Value<'_> {
        let member = self.0;
        match name {
            "Name" => Value::Str(&member.name),
            "Addr" => Value::Str(&member.addr),
            "Port" => Value::Int(member.port.into()),
            "Tags" => Value::StringMap(&member.tags),
            "Status" => Value::Int(member.status),
            "ProtocolMin" => Value::Int(member.protocol_min.into()),
            "ProtocolMax" => Value::Int(member.protocol_max.into()),
            "ProtocolCur" => Value::Int(member.protocol_cur.into()),
            "DelegateMin" => Value::Int(member.delegate_min.into()),
            "DelegateMax" => Value::Int(member.delegate_max.into()),
            "DelegateCur" => Value::Int(member.delegate_cur.into()),
            _ => Value::Zero,
        }
    }
}

fn check_segment(agent: &Agent, request: &Request) -> Result<(), Failure> {
    match request.params.non_empty("segment") {
        None | Some("_all") => Ok(()),
        Some(_) if agent.server.is_some() => {
            Err(Failure::internal("Network segments are not supported in this version of Consul"))
        }
        Some(segment) => Err(Failure::internal(format!("segment {segment:?} not found"))),
    }
}

async fn maintenance(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let toggle = Toggle::of(&request)?;
    let authorizer = agent.authorize(&local::token(&request))?;
    require(authorizer.allows(Resource::Node(agent.node_name()), Access::Write))?;
    local::set_maintenance(&agent, &request, Subject::Node, toggle).map_err(local::refusal)?;
    sync::push(&agent).await;
    Ok(Reply::empty())
}

async fn reload(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_write(&agent, &request)?;
    agent.reload_now().await.map_err(Failure::internal)?;
    Ok(Reply::empty())
}

async fn join(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_write(&agent, &request)?;
    if request.params.non_empty("wan").is_some() && agent.server.is_none() {
        return Err(Failure::internal("Must be a server to join WAN cluster"));
    }
    let wan = request.params.non_empty("wan").is_some();
    agent.join(&[request.rest_text()], wan).await.map_err(Failure::internal)?;
    Ok(Reply::empty())
}

/// Answers once the agent has left, so that whoever asked may go on with what the leave was for. The answer is still on
/// its way before the doors close: open requests are finished first.
async fn leave(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_write(&agent, &request)?;
    agent.leave.cancel();
    agent.stop.cancelled().await;
    Ok(Reply::empty())
}

/// Members that are alive are not touched.
async fn force_leave(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    let authorizer = agent.authorize(&local::token(&request))?;
    require(authorizer.allows(Resource::Operator, Access::Write))?;
    let name = request.rest_text();
    let (prune, wan) = (request.params.has("prune"), request.params.has("wan"));
    if agent.force_leave(&name, prune, wan).await.map_err(Failure::internal)? {
        return Ok(Reply::empty());
    }
    Err(Failure::internal(format!("agent: No node found with name '{name}'")))
}

async fn token(agent: Arc<Agent>, request: Request) -> Result<Reply, Failure> {
    require_agent_write(&agent, &request)?;
    Err(Failure::new(StatusCode::UNAUTHORIZED, "ACL support disabled"))
}

fn require_agent_write(agent: &Agent, request: &Request) -> Result<(), Failure> {
    let authorizer = agent.authorize(&local::token(request))?;
    Ok(require(authorizer.allows(Resource::Agent(agent.node_name()), Access::Write))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_filtered_by_what_is_shown() {
        let tags = [("role".to_owned(), "consul".to_owned())].into();
        let member = Member { name: "n1".into(), port: 8301, tags, status: 1, ..Member::default() };
        for (text, expected) in [
            ("Name == n1 and Tags.role == consul", true),
            ("Status == 4", false),
            ("Port == 8301 and segment not in Tags", true),
        ] {
            let filter = consul_filter::filter(text, Schema::Custom(MEMBER_FIELDS)).unwrap().unwrap();
            assert_eq!(filter.matches(&MemberRow(&member)), expected, "{text}");
        }
    }
}
