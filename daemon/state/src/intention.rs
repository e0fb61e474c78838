//! Intentions: which service may talk to which. Stored and matched by precedence; nothing here enforces them.

use std::sync::Arc;

use blake2::Blake2b;
use blake2::digest::Digest as _;
use blake2::digest::consts::U32;
use consul_api::types::bytes::Blob;
use consul_api::types::intention::Intention;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use crate::command::Reply;
use crate::error::ApplyError;
use crate::id::{Uuid, UuidError};
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

pub const WILDCARD: &str = "*";
pub const NAMESPACE_DEFAULT: &str = "default";

/// A write to the intentions. Ids and times come with it; precedence and hash are computed when it is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IntentionCommand {
    /// Creates the intention with this id, or replaces it.
    Set(Box<Intention>),
    Delete {
        id: String,
    },
}

/// From which side an intention is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

pub(crate) type IntentionTable = OrdMap<Uuid, Arc<Intention>>;

/// How specific an intention is. The most specific that matches decides.
pub fn precedence(intention: &Intention) -> i64 {
    match (intention.destination_name.as_str(), intention.source_name.as_str()) {
        (WILDCARD, WILDCARD) => 5,
        (WILDCARD, _) => 6,
        (_, WILDCARD) => 8,
        _ => 9,
    }
}

/// The digest that replication compares. Precedence and port are not part of it.
pub fn hash(intention: &Intention) -> Blob {
    let mut digest = Blake2b::<U32>::new();
    for part in [
        &intention.id,
        &intention.description,
        &intention.source_ns,
        &intention.source_name,
        &intention.destination_ns,
        &intention.destination_name,
        &intention.source_type,
        &intention.action,
        &intention.default_addr,
    ] {
        digest.update(part.as_bytes());
    }
    for (key, value) in intention.meta.iter().flatten() {
        digest.update(key.as_bytes());
        digest.update(value.as_bytes());
    }
    Blob::from(digest.finalize().as_slice())
}

/// Fills in defaults and refuses what cannot be stored.
pub fn validate(intention: &mut Intention) -> Result<(), ApplyError> {
    for field in [&mut intention.source_ns, &mut intention.destination_ns] {
        if field.is_empty() {
            NAMESPACE_DEFAULT.clone_into(field);
        }
    }
    if intention.source_type.is_empty() {
        "consul".clone_into(&mut intention.source_type);
    }
    let mut problems = Vec::new();
    for (name, text) in
        [("SourceName", &intention.source_name), ("DestinationName", &intention.destination_name)]
    {
        if text.is_empty() {
            problems.push(format!("{name} must be set"));
        } else if text.contains(WILDCARD) && text != WILDCARD {
            problems.push(format!("{name}: wildcard character '*' cannot be used with partial values"));
        }
    }
    if !matches!(intention.action.as_str(), "allow" | "deny") {
        problems.push("Action must be set to 'allow' or 'deny'".to_owned());
    }
    if intention.source_type != "consul" {
        problems.push("SourceType must be set to 'consul'".to_owned());
    }
    if problems.is_empty() { Ok(()) } else { Err(ApplyError::several(&problems)) }
}

/// One line about an intention.
pub fn describe(intention: &Intention) -> String {
    format!(
        "{} {}/{} => {}/{} (ID: {}, Precedence: {})",
        intention.action.to_uppercase(),
        intention.source_ns,
        intention.source_name,
        intention.destination_ns,
        intention.destination_name,
        intention.id,
        intention.precedence
    )
}

impl Version {
    /// All intentions, the most specific first.
    pub fn intentions(&self, watch: &mut WatchSet) -> (u64, Vec<&Arc<Intention>>) {
        let mut all: Vec<_> = self.tables.intentions.values().collect();
        all.sort_by(|one, other| order(one).cmp(&order(other)));
        (self.table_index(Table::Intentions, watch), all)
    }

    pub fn intention(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<Intention>>), ApplyError> {
        let id = Uuid::parse(id).map_err(ApplyError::IntentionLookup)?;
        Ok((self.table_index(Table::Intentions, watch), self.tables.intentions.get(&id)))
    }

    /// The intention between exactly these two names.
    pub fn intention_exact(
        &self,
        source: &str,
        destination: &str,
        watch: &mut WatchSet,
    ) -> (u64, Option<&Arc<Intention>>) {
        let found = self.tables.intentions.values().find(|intention| {
            names::same(&intention.source_name, source)
                && names::same(&intention.destination_name, destination)
        });
        (self.table_index(Table::Intentions, watch), found)
    }

    /// Intentions that apply to `name` on one side, the most specific first.
    pub fn intentions_matching(
        &self,
        side: Side,
        name: &str,
        watch: &mut WatchSet,
    ) -> (u64, Vec<&Arc<Intention>>) {
        let (index, mut all) = self.intentions(watch);
        all.retain(|intention| {
            let of_side = match side {
                Side::Source => &intention.source_name,
                Side::Destination => &intention.destination_name,
            };
            of_side == WILDCARD || names::same(of_side, name)
        });
        (index, all)
    }
}

fn order(intention: &Intention) -> (i64, [&str; 4]) {
    let names = [
        intention.source_ns.as_str(),
        intention.source_name.as_str(),
        intention.destination_ns.as_str(),
        intention.destination_name.as_str(),
    ];
    (-intention.precedence, names)
}

impl Writer {
    pub(crate) fn apply_intention(&mut self, command: &IntentionCommand) -> Result<Reply, ApplyError> {
        match command {
            IntentionCommand::Set(intention) => self.set_intention(intention),
            IntentionCommand::Delete { id } => {
                let id = Uuid::parse(id).map_err(ApplyError::IntentionLookup)?;
                if self.tables.intentions.remove(&id).is_some() {
                    self.touch(Table::Intentions);
                }
                Ok(Reply::Done)
            }
        }
    }

    fn set_intention(&mut self, intention: &Intention) -> Result<Reply, ApplyError> {
        let id = Uuid::parse(&intention.id).map_err(ApplyError::IntentionLookup)?;
        let same_pair = |other: &Intention| {
            names::same(&other.source_ns, &intention.source_ns)
                && names::same(&other.source_name, &intention.source_name)
                && names::same(&other.destination_ns, &intention.destination_ns)
                && names::same(&other.destination_name, &intention.destination_name)
        };
        let duplicate =
            self.tables.intentions.iter().find(|(other, known)| **other != id && same_pair(known));
        if let Some((_, known)) = duplicate {
            return Err(ApplyError::IntentionDuplicate(describe(known)));
        }
        let mut intention = intention.clone();
        let existing = self.tables.intentions.get(&id);
        intention.create_index = existing.map_or(self.index, |known| known.create_index);
        if let Some(known) = existing {
            intention.created_at = known.created_at;
        }
        intention.modify_index = self.index;
        intention.precedence = precedence(&intention);
        intention.hash = hash(&intention);
        let reply = Reply::Id(intention.id.clone());
        self.tables.intentions.insert(id, Arc::new(intention));
        self.touch(Table::Intentions);
        Ok(reply)
    }

    /// Takes an intention from a snapshot as it is.
    pub(crate) fn restore_intention(&mut self, intention: Intention) -> Result<(), UuidError> {
        self.tables.intentions.insert(Uuid::parse(&intention.id)?, Arc::new(intention));
        Ok(())
    }
}
