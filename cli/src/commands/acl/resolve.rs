//! Ids may be shortened to any prefix that only one object has.

use serde_json::Value;

use crate::agent::{Agent, CallError};
use crate::failure::Failure;

const UUID_LEN: usize = 36;

/// What can be looked up.
#[derive(Clone, Copy)]
pub enum Kind {
    Token,
    Policy,
    Role,
    BindingRule,
}

impl Kind {
    /// The word for it, the path of its list, and the field that holds its id.
    fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Token => ("token", "/v1/acl/tokens", "AccessorID"),
            Self::Policy => ("policy", "/v1/acl/policies", "ID"),
            Self::Role => ("role", "/v1/acl/roles", "ID"),
            Self::BindingRule => ("rule", "/v1/acl/binding-rules", "ID"),
        }
    }
}

/// The whole id that `given` starts.
pub fn id(agent: &Agent, kind: Kind, given: &str) -> Result<String, CallError> {
    if given.len() == UUID_LEN {
        return Ok(given.to_owned());
    }
    let (word, list, field) = kind.facts();
    let objects: Option<Vec<Value>> = agent.get(list).json()?;
    let objects = objects.unwrap_or_default();
    let mut found =
        objects.iter().filter_map(|object| object[field].as_str()).filter(|id| id.starts_with(given));
    let Some(id) = found.next() else {
        return Err(CallError::Other(format!("No such {word} ID with prefix: {given}")));
    };
    if found.next().is_some() {
        return Err(CallError::Other(format!("Partial {word} ID is not unique: {given}")));
    }
    Ok(id.to_owned())
}

/// The id of the policy or role with this name.
pub fn id_by_name(agent: &Agent, kind: Kind, name: &str) -> Result<String, CallError> {
    let (word, list, field) = kind.facts();
    let objects: Option<Vec<Value>> = agent.get(list).json()?;
    let objects = objects.unwrap_or_default();
    let found = objects.iter().find(|object| object["Name"].as_str() == Some(name));
    let id = found.and_then(|object| object[field].as_str());
    id.map(str::to_owned).ok_or_else(|| CallError::Other(format!("No such {word} with name {name}")))
}

/// The object that the flags `-id` and `-name` mean; the id counts more.
pub fn by_id_or_name(agent: &Agent, kind: Kind, id_flag: &str, name: &str) -> Result<String, Failure> {
    let found = if id_flag.is_empty() { id_by_name(agent, kind, name) } else { id(agent, kind, id_flag) };
    found.map_err(Failure::of(format!("Error determining {} ID: ", kind.facts().0)))
}
