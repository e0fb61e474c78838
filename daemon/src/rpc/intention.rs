//! Intentions. They are kept and matched; nothing here enforces them.

use std::sync::Arc;

use consul_acl::{Access, Authorizer, Resource};
use consul_api::types::StringMap;
use consul_api::types::intention::Intention;
use consul_api::types::time::GoTime;
use consul_state::intention::{IntentionCommand, Side, validate};
use consul_state::{Command, Outcome, Reply, Version, WatchSet};

use super::RpcError;
use super::read::Read;
use super::write::{LeaderView, Step, Write, require};

/// Which intentions to list, the most specific first.
pub enum IntentionList {
    All,
    Id(String),
    /// Between exactly these two names.
    Exact {
        source: String,
        destination: String,
    },
    /// Those that apply to a name on one side.
    Matching {
        side: Side,
        name: String,
    },
}

impl Read for IntentionList {
    type Reply = Vec<Arc<Intention>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        Ok(match self {
            Self::All => {
                let (index, intentions) = version.intentions(seen);
                (index, intentions.into_iter().cloned().collect())
            }
            Self::Id(id) => {
                let (index, intention) = version.intention(id, seen)?;
                (index, intention.into_iter().cloned().collect())
            }
            Self::Exact { source, destination } => {
                let (index, intention) = version.intention_exact(source, destination, seen);
                (index, intention.into_iter().cloned().collect())
            }
            Self::Matching { side, name } => {
                let (index, intentions) = version.intentions_matching(*side, name, seen);
                (index, intentions.into_iter().cloned().collect())
            }
        })
    }

    fn restrict(&self, authorizer: &Authorizer, reply: &mut Self::Reply) -> Result<bool, RpcError> {
        let may = |name: &str| authorizer.allows(Resource::Intention(name), Access::Read);
        match self {
            Self::Matching { name, .. } => {
                require(may(name))?;
                Ok(false)
            }
            Self::All | Self::Id(_) | Self::Exact { .. } => {
                let before = reply.len();
                reply.retain(|intention| may(&intention.source_name) || may(&intention.destination_name));
                let hidden = reply.len() < before;
                require(!hidden || matches!(self, Self::All))?;
                Ok(hidden)
            }
        }
    }
}

/// The intentions that guard a service, for whoever runs it: the most specific first.
pub struct GuardsOf {
    pub service: String,
}

impl Read for GuardsOf {
    type Reply = Vec<Arc<Intention>>;

    fn evaluate(&self, version: &Version, seen: &mut WatchSet) -> Result<(u64, Self::Reply), RpcError> {
        let (index, intentions) = version.intentions_matching(Side::Destination, &self.service, seen);
        Ok((index, intentions.into_iter().cloned().collect()))
    }

    fn restrict(&self, authorizer: &Authorizer, _: &mut Self::Reply) -> Result<bool, RpcError> {
        require(authorizer.allows(Resource::Service(&self.service), Access::Write))?;
        Ok(false)
    }
}

/// A change of the intentions; the answer is the id.
#[derive(Clone)]
pub enum IntentionWrite {
    Create(Intention),
    /// Replaces the intention with the id that it carries.
    Update(Intention),
    /// Creates the intention between two names, or replaces it.
    Upsert(Intention),
    Delete {
        id: String,
    },
}

impl Write for IntentionWrite {
    type Reply = String;

    fn authorize(&self, authorizer: &Authorizer) -> Result<(), RpcError> {
        let may = |name: &str| authorizer.allows(Resource::Intention(name), Access::Write);
        match self {
            Self::Create(intention) | Self::Update(intention) | Self::Upsert(intention) => {
                require(may(&intention.destination_name))
            }
            Self::Delete { .. } => Ok(()),
        }
    }

    fn prepare(self, leader: &LeaderView<'_>) -> Result<Step<String>, RpcError> {
        let now = GoTime::now();
        let mut intention = match self {
            Self::Create(intention) if !intention.id.is_empty() => {
                return Err(RpcError::refused("ID must be empty when creating a new intention"));
            }
            Self::Create(intention) => Intention { id: new_id(), created_at: now, ..intention },
            Self::Update(intention) => {
                existing(leader, &intention.id, "modify")?;
                intention
            }
            Self::Upsert(intention) => {
                let (source, destination) = (&intention.source_name, &intention.destination_name);
                let (_, known) = leader.version.intention_exact(source, destination, &mut WatchSet::new());
                let id = known.map_or_else(new_id, |known| known.id.clone());
                Intention { id, created_at: now, ..intention }
            }
            Self::Delete { id } => {
                existing(leader, &id, "delete")?;
                return Ok(Step::Propose(Command::Intention(IntentionCommand::Delete { id })));
            }
        };
        intention.updated_at = now;
        intention.meta.get_or_insert_with(StringMap::new);
        validate(&mut intention)?;
        Ok(Step::Propose(Command::Intention(IntentionCommand::Set(Box::new(intention)))))
    }

    fn conclude(outcome: Outcome) -> Result<String, RpcError> {
        match outcome.reply? {
            Reply::Id(id) => Ok(id),
            _ => Ok(String::new()),
        }
    }
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn existing(leader: &LeaderView<'_>, id: &str, verb: &str) -> Result<(), RpcError> {
    let found = leader.version.intention(id, &mut WatchSet::new());
    let (_, known) = found.map_err(|error| RpcError::refused(format!("Intention lookup failed: {error}")))?;
    match known {
        Some(_) => Ok(()),
        None => Err(RpcError::refused(format!("Cannot {verb} non-existent intention: '{id}'"))),
    }
}
