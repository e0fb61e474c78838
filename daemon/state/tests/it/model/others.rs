//! Tables with rules of their own: prepared queries, configuration entries, intentions and coordinates.

use std::collections::{BTreeMap, BTreeSet};

use consul_api::types::config_entry::ConfigEntry;
use consul_api::types::coordinate::{Coordinate, NodeCoordinate};
use consul_api::types::intention::Intention;
use consul_api::types::query::PreparedQuery;
use consul_state::config_entry::ConfigEntryCommand;
use consul_state::intention::IntentionCommand;
use consul_state::query::QueryCommand;
use consul_state::query::template::TYPE_NAME_PREFIX_MATCH;
use consul_state::{Command, Table, Version, WatchSet};
use proptest::prelude::*;

use super::NODES;
use crate::support::uuid;

const NAMES: [&str; 3] = ["one", "two", "one-more"];
const KINDS: [&str; 2] = ["service-defaults", "service-resolver"];

#[derive(Clone, Debug)]
pub enum Step {
    SetQuery { number: usize, name: usize, session: Option<usize>, template: bool },
    DeleteQuery { number: usize },
    SetEntry { kind: usize, name: usize, value: u8, cas: Option<bool> },
    DeleteEntry { kind: usize, name: usize, cas: Option<bool> },
    SetIntention { number: usize, source: usize, destination: usize },
    DeleteIntention { number: usize },
    Coordinate { node: usize, error: u8 },
}

pub fn steps() -> impl Strategy<Value = Step> {
    let (number, name, kind) = (0usize..3, 0..NAMES.len(), 0..KINDS.len());
    let cas = || prop::option::of(any::<bool>());
    prop_oneof![
        (number.clone(), name.clone(), prop::option::of(0usize..3), any::<bool>())
            .prop_map(|(number, name, session, template)| Step::SetQuery { number, name, session, template }),
        number.clone().prop_map(|number| Step::DeleteQuery { number }),
        (kind.clone(), name.clone(), 0u8..2, cas()).prop_map(|(kind, name, value, cas)| Step::SetEntry {
            kind,
            name,
            value,
            cas
        }),
        (kind, name.clone(), cas()).prop_map(|(kind, name, cas)| Step::DeleteEntry { kind, name, cas }),
        (number.clone(), name.clone(), name).prop_map(|(number, source, destination)| Step::SetIntention {
            number,
            source,
            destination
        }),
        number.prop_map(|number| Step::DeleteIntention { number }),
        (0..NODES.len(), 0u8..4).prop_map(|(node, error)| Step::Coordinate { node, error }),
    ]
}

/// Name, session, whether a template, create index and modify index.
type Query = (usize, Option<usize>, bool, u64, u64);
/// What is stored, create index and modify index.
type Stamped<T> = (T, u64, u64);

#[derive(Clone, Debug, Default)]
pub struct Others {
    queries: BTreeMap<usize, Query>,
    entries: BTreeMap<(usize, usize), Stamped<u8>>,
    /// Source and destination by number.
    intentions: BTreeMap<usize, Stamped<(usize, usize)>>,
    coordinates: BTreeMap<usize, u8>,
    tables: BTreeMap<Table, u64>,
}

impl Others {
    pub fn session_ended(&mut self, session: usize, index: u64) {
        let before = self.queries.len();
        self.queries.retain(|_, (_, bound, ..)| *bound != Some(session));
        if self.queries.len() < before {
            self.tables.insert(Table::PreparedQueries, index);
        }
    }

    pub fn node_gone(&mut self, node: usize, index: u64) {
        if self.coordinates.remove(&node).is_some() {
            self.tables.insert(Table::Coordinates, index);
        }
    }

    /// Whether the step is taken, and the command that must be answered alike.
    pub fn step(
        &mut self,
        step: &Step,
        index: u64,
        sessions: &BTreeSet<usize>,
        nodes: &BTreeSet<usize>,
    ) -> (bool, Command) {
        match *step {
            Step::SetQuery { number, name, session, template } => {
                let command = QueryCommand::Set(Box::new(query(number, name, session, template)));
                let taken = self.queries.iter().any(|(other, query)| *other != number && query.0 == name);
                let happens = !taken && session.is_none_or(|session| sessions.contains(&session));
                if happens {
                    let created = self.queries.get(&number).map_or(index, |query| query.3);
                    self.queries.insert(number, (name, session, template, created, index));
                    self.tables.insert(Table::PreparedQueries, index);
                }
                (happens, Command::PreparedQuery(command))
            }
            Step::DeleteQuery { number } => {
                if self.queries.remove(&number).is_some() {
                    self.tables.insert(Table::PreparedQueries, index);
                }
                (true, Command::PreparedQuery(QueryCommand::Delete { id: uuid(number as u32) }))
            }
            Step::SetEntry { kind, name, value, cas } => self.set_entry(kind, name, value, cas, index),
            Step::DeleteEntry { kind, name, cas } => self.delete_entry(kind, name, cas, index),
            Step::SetIntention { number, source, destination } => {
                let intention = Intention {
                    id: uuid(number as u32),
                    source_name: NAMES[source].to_owned(),
                    destination_name: NAMES[destination].to_owned(),
                    action: "allow".to_owned(),
                    ..Intention::default()
                };
                let pair = (source, destination);
                let happens =
                    !self.intentions.iter().any(|(other, known)| *other != number && known.0 == pair);
                if happens {
                    let created = self.intentions.get(&number).map_or(index, |known| known.1);
                    self.intentions.insert(number, (pair, created, index));
                    self.tables.insert(Table::Intentions, index);
                }
                (happens, Command::Intention(IntentionCommand::Set(Box::new(intention))))
            }
            Step::DeleteIntention { number } => {
                if self.intentions.remove(&number).is_some() {
                    self.tables.insert(Table::Intentions, index);
                }
                (true, Command::Intention(IntentionCommand::Delete { id: uuid(number as u32) }))
            }
            Step::Coordinate { node, error } => {
                if nodes.contains(&node) {
                    self.coordinates.insert(node, error);
                    self.tables.insert(Table::Coordinates, index);
                }
                let coord = Some(Coordinate { error: f64::from(error), ..Coordinate::default() });
                let update = NodeCoordinate { node: NODES[node].to_owned(), segment: String::new(), coord };
                // What must not enter is left out of the batch without a word.
                let mut broken = update.clone();
                broken.coord = Some(Coordinate { vec: vec![f64::NAN; 8], ..Coordinate::default() });
                (true, Command::Coordinates(vec![update, broken]))
            }
        }
    }

    fn set_entry(
        &mut self,
        kind: usize,
        name: usize,
        value: u8,
        cas: Option<bool>,
        index: u64,
    ) -> (bool, Command) {
        let known = self.entries.get(&(kind, name)).copied();
        let wanted = cas.map(|stale| known.map_or(0, |known| known.2) + u64::from(stale));
        let mut entry = ConfigEntry {
            kind: KINDS[kind].to_owned(),
            name: NAMES[name].to_uppercase(),
            ..ConfigEntry::default()
        };
        entry.fields.insert("Value".to_owned(), value.into());
        let happens = cas != Some(true);
        if happens && known.is_none_or(|known| known.0 != value) {
            self.entries.insert((kind, name), (value, known.map_or(index, |known| known.1), index));
            self.tables.insert(Table::ConfigEntries, index);
        }
        (happens, Command::ConfigEntry(ConfigEntryCommand::Set { entry: Box::new(entry), cas: wanted }))
    }

    fn delete_entry(&mut self, kind: usize, name: usize, cas: Option<bool>, index: u64) -> (bool, Command) {
        let known = self.entries.get(&(kind, name)).copied();
        let wanted = cas.map(|stale| known.map_or(0, |known| known.2) + u64::from(stale));
        let happens = if known.is_some() { cas != Some(true) } else { cas.is_none() };
        if happens && self.entries.remove(&(kind, name)).is_some() {
            self.tables.insert(Table::ConfigEntries, index);
        }
        let (kind, name) = (KINDS[kind].to_owned(), NAMES[name].to_owned());
        (happens, Command::ConfigEntry(ConfigEntryCommand::Delete { kind, name, cas: wanted }))
    }

    pub fn compare(&self, version: &Version) {
        let mut watch = WatchSet::new();
        let tables = [Table::PreparedQueries, Table::ConfigEntries, Table::Intentions, Table::Coordinates];
        for table in tables {
            let expected = self.tables.get(&table).copied().unwrap_or(0).max(1);
            assert_eq!(version.table_index(table, &mut watch), expected, "{table:?}");
        }
        self.compare_queries(version);
        for (at, kind) in KINDS.iter().enumerate() {
            let found = version.config_entries(Some(kind), &mut watch).1;
            let found: BTreeMap<String, Stamped<u64>> = found
                .map(|entry| {
                    let value = entry.fields["Value"].as_u64().expect("what was written");
                    (entry.name.clone(), (value, entry.create_index, entry.modify_index))
                })
                .collect();
            let of_kind = self.entries.iter().filter(|((kind, _), _)| *kind == at);
            let expected = of_kind.map(|((_, name), (value, created, modified))| {
                (NAMES[*name].to_uppercase(), (u64::from(*value), *created, *modified))
            });
            assert_eq!(found, expected.collect(), "{kind}");
        }
        for (source, from) in NAMES.iter().enumerate() {
            for (destination, to) in NAMES.iter().enumerate() {
                let known = self.intentions.values().find(|known| known.0 == (source, destination));
                let (_, found) = version.intention_exact(&from.to_uppercase(), to, &mut watch);
                let found = found.map(|found| (found.create_index, found.modify_index));
                assert_eq!(found, known.map(|known| (known.1, known.2)), "{from} => {to}");
            }
        }
        let coordinates = version.coordinates(&mut watch).1;
        let coordinates: Vec<_> = coordinates
            .map(|found| (found.node.clone(), found.coord.as_ref().map(|coordinate| coordinate.error)))
            .collect();
        let expected = self.coordinates.iter();
        let expected: Vec<_> =
            expected.map(|(node, error)| (NODES[*node].to_owned(), Some(f64::from(*error)))).collect();
        assert_eq!(coordinates, expected);
    }

    fn compare_queries(&self, version: &Version) {
        let mut watch = WatchSet::new();
        for number in 0..3 {
            let (_, found) = version.query(&uuid(number as u32), &mut watch).expect("a well-formed id");
            let found = found.map(|found| (found.name.as_str(), found.create_index, found.modify_index));
            let expected = self.queries.get(&number).map(|known| (NAMES[known.0], known.3, known.4));
            assert_eq!(found, expected, "query {number}");
        }
        for asked in ["one", "ONE", "one-more", "one-more-x", "on", "two", "two2"] {
            let lower = asked.to_lowercase();
            let named = self.queries.iter().find(|(_, known)| NAMES[known.0] == lower);
            let templates =
                self.queries.iter().filter(|(_, known)| known.2 && lower.starts_with(NAMES[known.0]));
            let longest = || templates.max_by_key(|(_, known)| NAMES[known.0].len());
            let expected = named.or_else(longest).map(|(number, _)| uuid(*number as u32));
            let found = version.resolve_query(asked).map(|found| found.query.id.clone());
            assert_eq!(found, expected, "{asked}");
        }
    }
}

fn query(number: usize, name: usize, session: Option<usize>, template: bool) -> PreparedQuery {
    let mut query = PreparedQuery {
        id: uuid(number as u32),
        name: NAMES[name].to_owned(),
        session: session.map(|session| uuid(session as u32)).unwrap_or_default(),
        ..PreparedQuery::default()
    };
    query.service.service = "web-${name.suffix}".to_owned();
    if template {
        query.template.r#type = TYPE_NAME_PREFIX_MATCH.to_owned();
    }
    query
}
