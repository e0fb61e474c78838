//! Sessions where the leader's clocks take part: opening, renewing, ending.

use std::sync::Arc;
use std::time::Instant;

use consul_acl::{Access, Resource};
use consul_api::types::session::Session;
use consul_rpc::messages::encode;
use consul_rpc::messages::session::{SessionRequest, SessionSpecificRequest, Sessions};
use consul_state::WatchSet;

use super::here;
use crate::agent::Agent;
use crate::rpc::path::{Need, Repeat};
use crate::rpc::remote::{Operation, answer, query_options, whole, write_request};
use crate::rpc::session::{SessionCreate, SessionDestroy};
use crate::rpc::write::{Write, require};
use crate::rpc::{ReadMeta, ReadOptions, RpcError};
use crate::server::Server;

/// Creates a session and starts its clock; the answer is its id.
pub struct OpenSession {
    pub session: Session,
}

impl Operation for OpenSession {
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
        let request = SessionCreate { session: self.session.clone() };
        request.authorize(&agent.authorize(&options.token)?)?;
        let id = server.write(request).await?;
        let armed = Session { id: id.clone(), ..self.session.clone() };
        server.leader.arm_session(&armed, Instant::now());
        Ok((here(), id))
    }

    fn method(&self) -> &'static str {
        "Session.Apply"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let (datacenter, op) = (options.datacenter.clone(), "create".to_owned());
        encode(&SessionRequest { datacenter, op, session: &self.session }, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, String), RpcError> {
        Ok((here(), whole(body)?))
    }
}

/// Ends a session. One that does not exist has ended already.
pub struct EndSession {
    pub id: String,
}

impl Operation for EndSession {
    type Reply = ();

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, ()), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        let node = find(server, &self.id)?.map(|session| session.node.clone());
        let request = SessionDestroy { id: self.id.clone(), node };
        request.authorize(&authorizer)?;
        server.write(request).await?;
        Ok((here(), ()))
    }

    fn method(&self) -> &'static str {
        "Session.Apply"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let (datacenter, op) = (options.datacenter.clone(), "destroy".to_owned());
        let session = Session { id: self.id.clone(), ..Session::default() };
        encode(&SessionRequest { datacenter, op, session }, &write_request(&options.into()))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, ()), RpcError> {
        whole::<String>(body).map(|_| (here(), ()))
    }
}

/// Starts a session's clock anew. `None` if there is no such session.
pub struct RenewSession {
    pub id: String,
}

impl Operation for RenewSession {
    type Reply = Option<Arc<Session>>;

    fn need(&self, _: &ReadOptions) -> Need {
        Need::Leader
    }

    async fn perform(
        &self,
        agent: &Arc<Agent>,
        server: &Arc<Server>,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let authorizer = agent.authorize(&options.token)?;
        // A server that leads no more, or has not applied everything yet, knows nothing of the session's clock.
        server.raft.check_lease().map_err(|_| RpcError::NoLeader)?;
        let Some(session) = find(server, &self.id)? else { return Ok((here(), None)) };
        require(authorizer.allows(Resource::Session(&session.node), Access::Write))?;
        server.leader.arm_session(&session, Instant::now());
        Ok((here(), Some(session)))
    }

    fn method(&self) -> &'static str {
        "Session.Renew"
    }

    fn arguments(&self, options: &ReadOptions) -> Vec<u8> {
        let own = SessionSpecificRequest::of(options.datacenter.clone(), self.id.clone());
        encode(&own, &query_options(options))
    }

    fn reply(&self, body: &[u8]) -> Result<(ReadMeta, Self::Reply), RpcError> {
        let (meta, mut found) = answer::<Sessions<Vec<Arc<Session>>>>(body)?;
        Ok((meta, found.sessions.pop()))
    }
}

fn find(server: &Server, id: &str) -> Result<Option<Arc<Session>>, RpcError> {
    let version = server.store.version();
    let (_, session) = version.session(id, &mut WatchSet::new())?;
    Ok(session.cloned())
}
