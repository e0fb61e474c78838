//! Prepared queries: stored definitions, found by id, by name, or as the template with the longest matching prefix.

mod expression;
pub mod template;
pub mod validate;

use std::sync::Arc;

use consul_api::types::query::PreparedQuery;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use self::template::Template;
use crate::command::Reply;
use crate::error::ApplyError;
use crate::id::{Uuid, UuidError};
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

/// A write to the prepared queries. The proposer has checked definitions with [`validate::definition`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum QueryCommand {
    /// Creates the query with this id, or replaces it whole.
    Set(Box<PreparedQuery>),
    Delete {
        id: String,
    },
}

#[derive(Clone, Default)]
pub(crate) struct QueryTable {
    pub by_id: OrdMap<Uuid, StoredQuery>,
    /// Id by lower-case name, of plain queries and templates alike.
    by_name: OrdMap<Arc<str>, Uuid>,
    /// Id by lower-case prefix.
    templates: OrdMap<Arc<str>, Uuid>,
}

#[derive(Clone)]
pub(crate) struct StoredQuery {
    pub query: Arc<PreparedQuery>,
    /// Present for templates.
    template: Option<Arc<Template>>,
}

/// What an id or name leads to.
#[derive(Clone, Copy, Debug)]
pub struct FoundQuery<'a> {
    pub query: &'a Arc<PreparedQuery>,
    /// Render this instead if the query is a template.
    pub template: Option<&'a Arc<Template>>,
}

impl Version {
    /// All queries in order of their ids.
    pub fn queries(
        &self,
        watch: &mut WatchSet,
    ) -> (u64, impl Iterator<Item = &Arc<PreparedQuery>> + use<'_>) {
        let index = self.table_index(Table::PreparedQueries, watch);
        (index, self.tables.queries.by_id.values().map(|stored| &stored.query))
    }

    /// One query by its id. An id that is no UUID is an error.
    pub fn query(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<PreparedQuery>>), ApplyError> {
        let id = Uuid::parse(id).map_err(ApplyError::QueryLookup)?;
        let found = self.tables.queries.by_id.get(&id).map(|stored| &stored.query);
        Ok((self.table_index(Table::PreparedQueries, watch), found))
    }

    /// What to execute for an id or name: the query with that id, else the one with that name, else the template
    /// whose name is the longest beginning of it.
    pub fn resolve_query(&self, id_or_name: &str) -> Option<FoundQuery<'_>> {
        let table = &self.tables.queries;
        let by_id = Uuid::parse(id_or_name).ok().and_then(|id| table.by_id.get(&id));
        let stored = by_id.or_else(|| table.named(id_or_name)).or_else(|| table.template_for(id_or_name))?;
        Some(FoundQuery { query: &stored.query, template: stored.template.as_ref() })
    }
}

impl Writer {
    pub(crate) fn apply_query(&mut self, command: &QueryCommand) -> Result<Reply, ApplyError> {
        match command {
            QueryCommand::Set(query) => self.set_query(query),
            QueryCommand::Delete { id } => {
                let id = Uuid::parse(id).map_err(ApplyError::QueryLookup)?;
                if Arc::make_mut(&mut self.tables.queries).remove(id).is_some() {
                    self.touch(Table::PreparedQueries);
                }
                Ok(Reply::Done)
            }
        }
    }

    fn set_query(&mut self, query: &PreparedQuery) -> Result<Reply, ApplyError> {
        let id = Uuid::parse(&query.id).map_err(ApplyError::QueryLookup)?;
        self.check_query_name(id, query)?;
        if !query.session.is_empty() {
            match self.live_session(&query.session) {
                Err(ApplyError::SessionLookup(reason)) => return Err(ApplyError::QuerySession(reason)),
                other => other?,
            };
        }
        let template = Template::of(query).map_err(|reason| ApplyError::QueryTemplate(reason.to_string()))?;
        let existing = self.tables.queries.by_id.get(&id);
        let create_index = existing.map_or(self.index, |known| known.query.create_index);
        let query = PreparedQuery { create_index, modify_index: self.index, ..query.clone() };
        let reply = Reply::Id(query.id.clone());
        Arc::make_mut(&mut self.tables.queries).insert(id, Arc::new(query), template);
        self.touch(Table::PreparedQueries);
        Ok(reply)
    }

    fn check_query_name(&self, id: Uuid, query: &PreparedQuery) -> Result<(), ApplyError> {
        let table = &self.tables.queries;
        let name = names::lower(&query.name);
        if query.name.is_empty() {
            let taken = table.templates.get("").is_some_and(|other| *other != id);
            let is_template = !query.template.r#type.is_empty();
            return if taken && is_template { Err(ApplyError::QueryEmptyTemplate) } else { Ok(()) };
        }
        if table.by_name.get(&*name).is_some_and(|other| *other != id) {
            return Err(ApplyError::QueryName(query.name.clone()));
        }
        let alias = Uuid::parse(&query.name).ok();
        if alias.is_some_and(|alias| table.by_id.contains_key(&alias)) {
            return Err(ApplyError::QueryNameIsId(query.name.clone()));
        }
        Ok(())
    }

    pub(crate) fn delete_queries_of_session(&mut self, session: Uuid) {
        let bound =
            |query: &PreparedQuery| !query.session.is_empty() && Uuid::parse(&query.session) == Ok(session);
        let queries = self.tables.queries.by_id.iter();
        let ids: Vec<Uuid> = queries.filter(|(_, stored)| bound(&stored.query)).map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return;
        }
        let table = Arc::make_mut(&mut self.tables.queries);
        for id in ids {
            table.remove(id);
        }
        self.touch(Table::PreparedQueries);
    }

    /// Takes a query from a snapshot as it is. A template that does not compile here is kept but never matches.
    pub(crate) fn restore_query(&mut self, query: PreparedQuery) -> Result<(), UuidError> {
        let id = Uuid::parse(&query.id)?;
        let template = Template::of(&query).unwrap_or_default();
        Arc::make_mut(&mut self.tables.queries).insert(id, Arc::new(query), template);
        Ok(())
    }
}

impl QueryTable {
    fn named(&self, name: &str) -> Option<&StoredQuery> {
        self.by_id.get(self.by_name.get(&*names::lower(name))?)
    }

    fn template_for(&self, name: &str) -> Option<&StoredQuery> {
        let lower = names::lower(name);
        let prefixes = (0..=lower.len()).rev().filter_map(|len| lower.get(..len));
        let id = prefixes.filter_map(|prefix| self.templates.get(prefix)).next()?;
        self.by_id.get(id)
    }

    fn insert(&mut self, id: Uuid, query: Arc<PreparedQuery>, template: Option<Template>) {
        self.remove(id);
        let lower: Arc<str> = names::lower(&query.name).into();
        if template.is_some() {
            self.templates.insert(Arc::clone(&lower), id);
        }
        if !lower.is_empty() {
            self.by_name.insert(lower, id);
        }
        self.by_id.insert(id, StoredQuery { query, template: template.map(Arc::new) });
    }

    fn remove(&mut self, id: Uuid) -> Option<StoredQuery> {
        let stored = self.by_id.remove(&id)?;
        let lower = names::lower(&stored.query.name);
        if self.by_name.get(&*lower) == Some(&id) {
            self.by_name.remove(&*lower);
        }
        if self.templates.get(&*lower) == Some(&id) {
            self.templates.remove(&*lower);
        }
        Some(stored)
    }
}
