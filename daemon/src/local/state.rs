//! The book of this host's services and checks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use consul_api::types::agent::CheckDefinition;
use consul_api::types::catalog::NodeService;
use consul_api::types::health::{HealthCheck, Status};
use thiserror::Error;

use super::entry::{LocalCheck, LocalService, Source, Sync};
use crate::rpc::Token;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LocalError {
    #[error("ServiceID {0:?} does not exist")]
    NoSuchService(String),
    #[error("Unknown service ID {0:?}. Ensure that the service ID is passed, not the service name.")]
    UnknownService(String),
    #[error("Unknown check ID {0:?}. Ensure that the check ID is passed, not the check name.")]
    UnknownCheck(String),
}

/// Services and checks by id. Deleted ones stay until the catalog has forgotten them.
#[derive(Debug, Default)]
pub struct LocalState {
    services: BTreeMap<String, LocalService>,
    checks: BTreeMap<String, LocalCheck>,
    /// Grows with every change, so that readers can wait for one.
    revision: u64,
}

/// What happened to a check's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckChange {
    Nothing,
    /// Only the output: worth a write after a while.
    Output,
    /// The status: worth a write now.
    Status,
}

impl LocalState {
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn services(&self) -> impl Iterator<Item = &LocalService> {
        self.services.values().filter(|entry| entry.sync != Sync::Deleted)
    }

    pub fn checks(&self) -> impl Iterator<Item = &LocalCheck> {
        self.checks.values().filter(|entry| entry.sync != Sync::Deleted)
    }

    /// Including those that wait for removal from the catalog.
    pub fn all_services(&self) -> &BTreeMap<String, LocalService> {
        &self.services
    }

    /// Including those that wait for removal from the catalog.
    pub fn all_checks(&self) -> &BTreeMap<String, LocalCheck> {
        &self.checks
    }

    pub fn service(&self, id: &str) -> Option<&LocalService> {
        self.services.get(id).filter(|entry| entry.sync != Sync::Deleted)
    }

    pub fn check(&self, id: &str) -> Option<&LocalCheck> {
        self.checks.get(id).filter(|entry| entry.sync != Sync::Deleted)
    }

    pub fn checks_of(&self, service_id: &str) -> impl Iterator<Item = &LocalCheck> {
        self.checks().filter(move |entry| entry.check.service_id == service_id)
    }

    /// Adds or replaces a service. Checks carry its name and tags, so they follow.
    pub fn put_service(
        &mut self,
        service: NodeService,
        token: Token,
        source: Source,
        sidecar_of: Option<String>,
    ) {
        for entry in self.checks.values_mut() {
            let check = &mut entry.check;
            if check.service_id == service.id
                && (check.service_name != service.service || check.service_tags != service.tags)
            {
                check.service_name.clone_from(&service.service);
                check.service_tags.clone_from(&service.tags);
                if entry.sync == Sync::InSync {
                    entry.sync = Sync::Dirty;
                }
            }
        }
        let before = self.services.get(&service.id);
        // What the catalog has already need not be written again: a reload registers everything anew.
        let written = before.is_some_and(|before| before.sync == Sync::InSync && before.service == service);
        let sync = if written { Sync::InSync } else { Sync::Dirty };
        let entry = LocalService { token, source, sync, sidecar_of, service };
        self.services.insert(entry.service.id.clone(), entry);
        self.revision += 1;
    }

    /// Adds or replaces a check. One that was there keeps its state, so that a new definition does not make it flap.
    pub fn put_check(&mut self, mut entry: LocalCheck) -> Result<(), LocalError> {
        if !entry.check.service_id.is_empty() {
            let service_id = &entry.check.service_id;
            let owner =
                self.service(service_id).ok_or_else(|| LocalError::NoSuchService(service_id.clone()))?;
            entry.check.service_name.clone_from(&owner.service.service);
            entry.check.service_tags.clone_from(&owner.service.tags);
        }
        if let Some(before) =
            self.checks.get(&entry.check.check_id).filter(|before| before.sync != Sync::Deleted)
        {
            entry.check.status.clone_from(&before.check.status);
            entry.check.output.clone_from(&before.check.output);
            entry.critical_since = before.critical_since;
        }
        let before = self.checks.get(&entry.check.check_id);
        let written = before.is_some_and(|before| before.sync == Sync::InSync && before.check == entry.check);
        entry.sync = if written { Sync::InSync } else { Sync::Dirty };
        self.checks.insert(entry.check.check_id.clone(), entry);
        self.revision += 1;
        Ok(())
    }

    /// Marks a service, its checks and its sidecar for removal; returns the ids of the checks and services that went.
    pub fn remove_service(&mut self, id: &str) -> Result<Removed, LocalError> {
        if self.service(id).is_none() {
            return Err(LocalError::UnknownService(id.to_owned()));
        }
        let mut removed = Removed::default();
        let with_sidecars =
            |entry: &&LocalService| entry.service.id == id || entry.sidecar_of.as_deref() == Some(id);
        let going: Vec<String> =
            self.services().filter(with_sidecars).map(|entry| entry.service.id.clone()).collect();
        for service_id in going {
            let checks: Vec<String> =
                self.checks_of(&service_id).map(|entry| entry.check.check_id.clone()).collect();
            for check_id in checks {
                self.mark_check_deleted(&check_id);
                removed.checks.push(check_id);
            }
            if let Some(entry) = self.services.get_mut(&service_id) {
                entry.sync = Sync::Deleted;
            }
            removed.services.push(service_id);
        }
        self.revision += 1;
        Ok(removed)
    }

    pub fn remove_check(&mut self, id: &str) -> Result<(), LocalError> {
        if self.check(id).is_none() {
            return Err(LocalError::UnknownCheck(id.to_owned()));
        }
        self.mark_check_deleted(id);
        self.revision += 1;
        Ok(())
    }

    fn mark_check_deleted(&mut self, id: &str) {
        if let Some(entry) = self.checks.get_mut(id) {
            entry.sync = Sync::Deleted;
        }
    }

    /// A check reported. `output_delay` is how long a change of nothing but the output may wait.
    pub fn update_check(
        &mut self,
        id: &str,
        status: Status,
        output: &str,
        now: Instant,
        output_delay: Duration,
    ) -> CheckChange {
        let Some(entry) = self.checks.get_mut(id).filter(|entry| entry.sync != Sync::Deleted) else {
            return CheckChange::Nothing;
        };
        entry.critical_since = match status {
            Status::Critical => entry.critical_since.or(Some(now)),
            Status::Passing | Status::Warning => None,
        };
        let status_changed = entry.check.status != status.as_str();
        if !status_changed && entry.check.output == output {
            return CheckChange::Nothing;
        }
        entry.check.status = status.as_str().to_owned();
        entry.check.output = output.to_owned();
        self.revision += 1;
        if !status_changed && !output_delay.is_zero() {
            if entry.sync == Sync::InSync && entry.output_due.is_none() {
                entry.output_due = Some(now + output_delay);
            }
            return CheckChange::Output;
        }
        entry.output_due = None;
        entry.sync = Sync::Dirty;
        CheckChange::Status
    }

    /// Turns outputs whose wait is over into writes; tells whether there were any.
    pub fn release_outputs(&mut self, now: Instant) -> bool {
        let mut released = false;
        for entry in self.checks.values_mut() {
            if entry.output_due.is_some_and(|due| due <= now) {
                entry.output_due = None;
                entry.sync = Sync::Dirty;
                released = true;
            }
        }
        released
    }

    /// Services whose checks have been critical for too long.
    pub fn overdue_services(&self, now: Instant) -> Vec<String> {
        let overdue = |entry: &&LocalCheck| match (entry.critical_since, entry.deregister_after) {
            (Some(since), Some(after)) => now.saturating_duration_since(since) >= after,
            _ => false,
        };
        let mut ids: Vec<String> = self
            .checks()
            .filter(overdue)
            .map(|entry| entry.check.service_id.clone())
            .filter(|service_id| !service_id.is_empty())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The catalog has what the book says about a service, or has forgotten it.
    pub fn service_synced(&mut self, id: &str, written: &NodeService) {
        match self.services.get_mut(id) {
            Some(entry) if entry.sync == Sync::Deleted => {
                self.services.remove(id);
            }
            Some(entry) if entry.service == *written => entry.sync = Sync::InSync,
            _ => {}
        }
    }

    pub fn check_synced(&mut self, id: &str, written: &HealthCheck) {
        match self.checks.get_mut(id) {
            Some(entry) if entry.sync == Sync::Deleted => {
                self.checks.remove(id);
            }
            Some(entry) if entry.check == *written => entry.sync = Sync::InSync,
            _ => {}
        }
    }

    /// The catalog no longer has these: forget those that were to go.
    pub fn forget_deleted(&mut self, service_id: Option<&str>, check_id: Option<&str>) {
        if let Some(id) = service_id
            && self.services.get(id).is_some_and(|entry| entry.sync == Sync::Deleted)
        {
            self.services.remove(id);
        }
        if let Some(id) = check_id
            && self.checks.get(id).is_some_and(|entry| entry.sync == Sync::Deleted)
        {
            self.checks.remove(id);
        }
    }

    pub fn set_service_sync(&mut self, id: &str, sync: Sync) {
        if let Some(entry) = self.services.get_mut(id) {
            entry.sync = sync;
        }
    }

    pub fn set_check_sync(&mut self, id: &str, sync: Sync) {
        if let Some(entry) = self.checks.get_mut(id) {
            entry.sync = sync;
        }
    }

    /// The catalog's tags win over ours for a service that allows it.
    pub fn adopt_tags(&mut self, id: &str, tags: Option<Vec<String>>) {
        if let Some(entry) = self.services.get_mut(id) {
            entry.service.tags = tags;
            self.revision += 1;
        }
    }

    /// The lowest port of the range that no service here uses.
    pub fn free_port(&self, min: i64, max: i64) -> Option<i64> {
        (min..=max).find(|port| !self.services().any(|entry| entry.service.port == *port))
    }
}

/// Ids of what went with a service, itself included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    pub services: Vec<String>,
    pub checks: Vec<String>,
}

/// A check that has not run yet.
pub fn new_check(
    node: &str,
    definition: &CheckDefinition,
    kind: &str,
    token: Token,
    source: Source,
) -> LocalCheck {
    let status = if definition.status.is_empty() { "critical" } else { definition.status.as_str() };
    /// Shorter spans would race with a restart of the service.
    const DEREGISTER_MIN: Duration = Duration::from_secs(60);
    let deregister_after = definition.deregister_critical_service_after;
    LocalCheck {
        check: HealthCheck {
            node: node.to_owned(),
            check_id: definition.id.clone(),
            name: definition.name.clone(),
            status: status.to_owned(),
            notes: definition.notes.clone(),
            service_id: definition.service_id.clone(),
            service_tags: Some(Vec::new()),
            r#type: kind.to_owned(),
            interval: text_unless_zero(definition.interval),
            timeout: text_unless_zero(definition.timeout),
            ..HealthCheck::default()
        },
        critical_since: (status == "critical").then(Instant::now),
        definition: Some(definition.clone()),
        token,
        source,
        sync: Sync::Dirty,
        deregister_after: (!deregister_after.is_zero())
            .then(|| deregister_after.to_std().max(DEREGISTER_MIN)),
        output_due: None,
    }
}

fn text_unless_zero(span: consul_api::types::duration::GoDuration) -> String {
    if span.is_zero() { String::new() } else { span.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn service(id: &str) -> NodeService {
        NodeService {
            id: id.into(),
            service: "web".into(),
            tags: Some(vec!["a".into()]),
            ..NodeService::default()
        }
    }

    fn check(id: &str, service_id: &str) -> LocalCheck {
        let definition = CheckDefinition {
            id: id.into(),
            name: id.into(),
            service_id: service_id.into(),
            ..CheckDefinition::default()
        };
        new_check("n1", &definition, "ttl", Token::default(), Source::Remote)
    }

    fn with_service() -> LocalState {
        let mut state = LocalState::default();
        state.put_service(service("web"), Token::default(), Source::Remote, None);
        state.put_check(check("c", "web")).unwrap();
        state
    }

    #[test]
    fn checks_take_name_and_tags_of_their_service_and_need_one() {
        let mut state = with_service();
        assert_eq!(state.check("c").unwrap().check.service_name, "web");
        let refused = state.put_check(check("d", "nope")).unwrap_err();
        assert_eq!(refused.to_string(), "ServiceID \"nope\" does not exist");
    }

    #[test]
    fn registering_again_keeps_the_state() {
        let mut state = with_service();
        state.update_check("c", Status::Passing, "fine", Instant::now(), NONE);
        state.put_check(check("c", "web")).unwrap();
        assert_eq!(
            (
                state.check("c").unwrap().check.status.as_str(),
                state.check("c").unwrap().check.output.as_str()
            ),
            ("passing", "fine")
        );
    }

    #[test]
    fn a_status_change_is_written_at_once_and_an_output_later() {
        let mut state = with_service();
        let now = Instant::now();
        let delay = Duration::from_secs(300);
        assert_eq!(state.update_check("c", Status::Passing, "1", now, delay), CheckChange::Status);
        let written = state.check("c").unwrap().check.clone();
        state.check_synced("c", &written);
        assert_eq!(state.update_check("c", Status::Passing, "1", now, delay), CheckChange::Nothing);
        assert_eq!(state.update_check("c", Status::Passing, "2", now, delay), CheckChange::Output);
        assert!(!state.release_outputs(now));
        assert!(state.release_outputs(now + delay));
        assert_eq!(state.check("c").unwrap().sync, Sync::Dirty);
    }

    #[test]
    fn a_change_during_a_write_is_not_taken_for_written() {
        let mut state = with_service();
        let written = state.check("c").unwrap().check.clone();
        state.update_check("c", Status::Passing, "new", Instant::now(), NONE);
        state.check_synced("c", &written);
        assert_eq!(state.check("c").unwrap().sync, Sync::Dirty);
    }

    #[test]
    fn removal_takes_checks_and_sidecars_along() {
        let mut state = with_service();
        state.put_service(service("web-sidecar-proxy"), Token::default(), Source::Remote, Some("web".into()));
        let removed = state.remove_service("web").unwrap();
        assert_eq!(removed.services, ["web", "web-sidecar-proxy"]);
        assert_eq!(removed.checks, ["c"]);
        assert_eq!(state.services().count(), 0);
        assert_eq!(state.all_services().len(), 2);
        state.forget_deleted(Some("web"), Some("c"));
        assert_eq!(state.all_checks().len(), 0);
        assert!(state.remove_service("web").is_err());
    }

    #[test]
    fn long_critical_checks_name_their_service() {
        let mut state = with_service();
        let start = Instant::now();
        let mut entry = check("c", "web");
        entry.deregister_after = Some(Duration::from_secs(60));
        state.put_check(entry).unwrap();
        state.update_check("c", Status::Critical, "", start, NONE);
        let since = state.check("c").unwrap().critical_since.unwrap();
        assert!(state.overdue_services(since + Duration::from_secs(59)).is_empty());
        assert_eq!(state.overdue_services(since + Duration::from_secs(60)), ["web"]);
        state.update_check("c", Status::Passing, "", start, NONE);
        assert!(state.overdue_services(since + Duration::from_secs(90)).is_empty());
    }
}
