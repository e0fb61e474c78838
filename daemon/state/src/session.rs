//! Sessions: what holds locks, and ends with its node, its checks, its TTL or on demand.

use std::sync::Arc;

use consul_api::types::duration::GoDuration;
use consul_api::types::session::Session;
use imbl::OrdMap;

use crate::command::{LockDelay, Reply};
use crate::error::ApplyError;
use crate::id::Uuid;
use crate::names;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

pub const BEHAVIOR_RELEASE: &str = "release";
pub const BEHAVIOR_DELETE: &str = "delete";

/// The longest TTL a session may ask for.
const TTL_MAX: GoDuration = GoDuration::from_secs(24 * 3600);

#[derive(Clone, Default)]
pub(crate) struct SessionTable {
    pub by_id: OrdMap<Uuid, Arc<Session>>,
    /// Sessions of a node, by its lower-case name.
    pub by_node: OrdMap<Arc<str>, OrdMap<Uuid, Arc<Session>>>,
}

/// Checks a session before it is proposed and fills in the default behavior. `ttl_min` is the agent's setting.
pub fn validate(session: &mut Session, ttl_min: GoDuration) -> Result<(), ApplyError> {
    if session.node.is_empty() {
        return Err(ApplyError::SessionNode);
    }
    if session.behavior.is_empty() {
        session.behavior = BEHAVIOR_RELEASE.to_owned();
    }
    check_behavior(&session.behavior)?;
    if session.lock_delay.0 < 0 {
        return Err(ApplyError::SessionLockDelay);
    }
    if session.ttl.is_empty() {
        return Ok(());
    }
    let ttl: GoDuration =
        session.ttl.parse().map_err(|reason: consul_api::types::duration::ParseDurationError| {
            ApplyError::SessionTtl { text: session.ttl.clone(), reason: reason.to_string() }
        })?;
    if !ttl.is_zero() && !(ttl_min..=TTL_MAX).contains(&ttl) {
        return Err(ApplyError::SessionTtlRange { nanoseconds: ttl.0, min: ttl_min.to_string() });
    }
    Ok(())
}

fn check_behavior(behavior: &str) -> Result<(), ApplyError> {
    match behavior {
        BEHAVIOR_RELEASE | BEHAVIOR_DELETE => Ok(()),
        other => Err(ApplyError::SessionBehavior(other.to_owned())),
    }
}

impl Version {
    /// One session. An id that is no UUID is an error.
    pub fn session(
        &self,
        id: &str,
        watch: &mut WatchSet,
    ) -> Result<(u64, Option<&Arc<Session>>), ApplyError> {
        let id = Uuid::parse(id).map_err(ApplyError::SessionLookup)?;
        Ok((self.table_index(Table::Sessions, watch), self.tables.sessions.by_id.get(&id)))
    }

    /// All sessions in order of their ids.
    pub fn sessions(&self, watch: &mut WatchSet) -> (u64, impl Iterator<Item = &Arc<Session>> + use<'_>) {
        (self.table_index(Table::Sessions, watch), self.tables.sessions.by_id.values())
    }

    /// Sessions of the node with this name, in order of their ids.
    pub fn node_sessions(&self, node: &str, watch: &mut WatchSet) -> (u64, Vec<&Arc<Session>>) {
        let index = self.table_index(Table::Sessions, watch);
        let sessions = self.tables.sessions.by_node.get(&*names::lower(node));
        (index, sessions.into_iter().flat_map(|sessions| sessions.values()).collect())
    }
}

impl Writer {
    pub(crate) fn create_session(&mut self, session: &Session) -> Result<Reply, ApplyError> {
        let id = Uuid::parse(&session.id).map_err(ApplyError::SessionLookup)?;
        let mut session = session.clone();
        if session.behavior.is_empty() {
            session.behavior = BEHAVIOR_RELEASE.to_owned();
        }
        check_behavior(&session.behavior)?;
        self.check_session_ties(&session)?;
        session.create_index = self.index;
        session.modify_index = self.index;
        let reply = Reply::Id(session.id.clone());
        Arc::make_mut(&mut self.tables.sessions).insert(id, Arc::new(session));
        self.touch(Table::Sessions);
        Ok(reply)
    }

    /// Ends a session; one that does not exist is ended already.
    pub(crate) fn destroy_session(&mut self, id: &str) -> Result<Reply, ApplyError> {
        let id = Uuid::parse(id).map_err(ApplyError::SessionLookup)?;
        self.end_session(id);
        Ok(Reply::Done)
    }

    /// The stored spelling of a session's id.
    pub(crate) fn live_session(&self, id: &str) -> Result<String, ApplyError> {
        let key = Uuid::parse(id).map_err(ApplyError::SessionLookup)?;
        match self.tables.sessions.by_id.get(&key) {
            Some(session) => Ok(session.id.clone()),
            None => Err(ApplyError::InvalidSession(id.to_owned())),
        }
    }

    /// Removes a session with its locks, which enter their lock delay.
    pub(crate) fn end_session(&mut self, id: Uuid) {
        if !self.tables.sessions.by_id.contains_key(&id) {
            return;
        }
        let Some(session) = Arc::make_mut(&mut self.tables.sessions).remove(id) else { return };
        self.touch(Table::Sessions);
        self.delete_queries_of_session(id);
        let keys = self.kv_end_session(id, session.behavior == BEHAVIOR_DELETE);
        if session.lock_delay.0 > 0 {
            let delays = keys.into_iter().map(|key| LockDelay { key, delay: session.lock_delay });
            self.effects.lock_delays.extend(delays);
        }
        self.effects.ended_sessions.push(session.id.clone());
    }
}

impl Writer {
    /// A session starts on a known node, with every check it is tied to known and not critical.
    fn check_session_ties(&self, session: &Session) -> Result<(), ApplyError> {
        let entry = self.node_entry(&session.node).ok_or(ApplyError::MissingNode)?;
        for id in session.check_ids() {
            let check = entry.check(id).ok_or_else(|| ApplyError::MissingCheck(id.to_owned()))?;
            if check.status == "critical" {
                return Err(ApplyError::CriticalCheck(id.to_owned()));
            }
        }
        Ok(())
    }

    /// Ends the sessions of a node that are tied to a check. Both names in lower case.
    pub(crate) fn end_sessions_of_check(&mut self, node: &str, check: &str) {
        let Some(sessions) = self.tables.sessions.by_node.get(node) else { return };
        let tied = |session: &Session| session.check_ids().any(|id| names::same(id, check));
        let ids: Vec<Uuid> =
            sessions.iter().filter(|(_, session)| tied(session)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.end_session(id));
    }

    pub(crate) fn end_sessions_of_node(&mut self, node: &str) {
        let Some(sessions) = self.tables.sessions.by_node.get(node) else { return };
        let ids: Vec<Uuid> = sessions.keys().copied().collect();
        ids.into_iter().for_each(|id| self.end_session(id));
    }
}

impl SessionTable {
    pub fn insert(&mut self, id: Uuid, session: Arc<Session>) {
        self.remove(id);
        let node: Arc<str> = session.node.to_lowercase().into();
        self.by_node.entry(node).or_default().insert(id, Arc::clone(&session));
        self.by_id.insert(id, session);
    }

    pub fn remove(&mut self, id: Uuid) -> Option<Arc<Session>> {
        let session = self.by_id.remove(&id)?;
        let node = session.node.to_lowercase();
        if let Some(sessions) = self.by_node.get_mut(node.as_str()) {
            sessions.remove(&id);
            if sessions.is_empty() {
                self.by_node.remove(node.as_str());
            }
        }
        Some(session)
    }
}
