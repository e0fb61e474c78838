//! Session requests.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::session::Session;
use consul_state::{Command, Outcome, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// Which sessions to list.
pub enum SessionList {
    All,
    /// By the node's name.
    Node(String),
    /// None or one.
    Id(String),
}

impl Read for SessionList {
    type Reply = Vec<Arc<Session>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        Ok(match self {
            Self::All => {
                let (index, sessions) = version.sessions(seen);
                (index, sessions.cloned().collect())
            }
            Self::Node(node) => {
                let (index, sessions) = version.node_sessions(node, seen);
                (index, sessions.into_iter().cloned().collect())
            }
            Self::Id(id) => {
                let (index, session) = version.session(id, seen)?;
                (index, session.into_iter().cloned().collect())
            }
        })
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let before = reply.len();
        reply.retain(|session| authorizer.allows(Resource::Session(&session.node), Access::Read));
        Ok(reply.len() < before)
    }
}

/// Creates a session; the answer is its id.
#[derive(Clone)]
pub struct SessionCreate {
    pub session: Session,
}

impl Write for SessionCreate {
    type Reply = String;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        require(authorizer.allows(Resource::Session(&self.session.node), Access::Write))
    }

    fn prepare(mut self, leader: &LeaderView<'_>) -> Result<Step<String>, RpcError> {
        consul_state::session::validate(&mut self.session, leader.session_ttl_min.into())?;
        self.session.id = uuid::Uuid::new_v4().to_string();
        Ok(Step::Propose(Command::SessionCreate(self.session)))
    }

    fn conclude(outcome: Outcome) -> Result<String, RpcError> {
        match outcome.reply? {
            consul_state::Reply::Id(id) => Ok(id),
            _ => Ok(String::new()),
        }
    }
}

/// Ends a session. One that does not exist has ended already.
#[derive(Clone)]
pub struct SessionDestroy {
    pub id: String,
    /// Whose session it is, where known, for the permission.
    pub node: Option<String>,
}

impl Write for SessionDestroy {
    type Reply = ();

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        match &self.node {
            Some(node) => require(authorizer.allows(Resource::Session(node), Access::Write)),
            None => Ok(()),
        }
    }

    fn prepare(self, _: &LeaderView<'_>) -> Result<Step<()>, RpcError> {
        Ok(Step::Propose(Command::SessionDestroy { id: self.id }))
    }

    fn conclude(outcome: Outcome) -> Result<(), RpcError> {
        outcome.reply?;
        Ok(())
    }
}
