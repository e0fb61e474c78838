//! What happens to the book at start and at reload.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use consul_api::types::agent::{CheckDefinition, ServiceDefinition};
use consul_checks::CheckSpec;
use tracing::{debug, warn};

use super::{Plan, Registration, ServiceError, Services, now_unix};
use crate::local::definition;
use crate::local::entry::{LocalCheck, Source, Sync};
use crate::local::persist::SavedCheck;
use crate::rpc::Token;

/// Everything configuration files define, validated. Applying it cannot fail for what it says.
pub struct FileDefinitions {
    services: Vec<(Plan, Token)>,
    checks: Vec<(CheckDefinition, Arc<CheckSpec>)>,
}

/// A definition in a file that cannot be registered, with its place in words.
#[derive(Debug, thiserror::Error)]
pub enum FileDefinitionError {
    #[error("Failed to register service {name:?}: {source}")]
    Service { name: String, source: ServiceError },
    #[error("Failed to register check '{id}': {source}")]
    Check { id: String, source: ServiceError },
}

impl Services {
    /// Validates the definitions of configuration files, changing nothing.
    pub fn plan_files(
        &self,
        services: &[ServiceDefinition],
        checks: &[CheckDefinition],
    ) -> Result<FileDefinitions, FileDefinitionError> {
        let mut planned = Vec::with_capacity(services.len());
        for service in services {
            let plan = self
                .plan_service(service.clone(), Source::Local)
                .map_err(|source| FileDefinitionError::Service { name: service.name.clone(), source })?;
            planned.push((plan, Token::from(service.token.as_str())));
        }
        let known: BTreeSet<&str> = planned.iter().map(|(plan, _)| plan.service().id.as_str()).collect();
        let mut planned_checks = Vec::with_capacity(checks.len());
        for check in checks {
            let id = if check.id.is_empty() { check.name.clone() } else { check.id.clone() };
            let refused = |source| FileDefinitionError::Check { id: id.clone(), source };
            // In files an id has always been enough.
            let name = if check.name.is_empty() { id.clone() } else { check.name.clone() };
            let named = CheckDefinition { name, ..check.clone() };
            let check = definition::node_check(named).map_err(|error| refused(error.into()))?;
            let of_file = known.contains(check.service_id.as_str());
            let remote = self.book.read(|state| {
                state.service(&check.service_id).is_some_and(|entry| entry.source == Source::Remote)
            });
            if !check.service_id.is_empty() && !of_file && !remote && !self.is_saved(&check.service_id) {
                return Err(refused(
                    crate::local::state::LocalError::NoSuchService(check.service_id.clone()).into(),
                ));
            }
            planned_checks.push(self.plan_check(check, Source::Local).map_err(refused)?);
        }
        Ok(FileDefinitions { services: planned, checks: planned_checks })
    }

    fn is_saved(&self, service_id: &str) -> bool {
        self.persistence.services().iter().any(|saved| saved.service.id == service_id)
    }

    /// Replaces what earlier files defined. What the API registered stays, and so do states of checks that are still
    /// defined.
    pub fn apply_files(&self, definitions: FileDefinitions) -> Result<(), ServiceError> {
        let kept_services: BTreeSet<String> =
            definitions.services.iter().map(|(plan, _)| plan.service().id.clone()).collect();
        let mut kept_checks: BTreeSet<String> =
            definitions.checks.iter().map(|(check, _)| check.id.clone()).collect();
        for (plan, _) in &definitions.services {
            kept_checks.extend(plan.check_ids());
        }
        let new_checks: Vec<String> = self
            .book
            .read(|state| kept_checks.iter().filter(|id| state.check(id).is_none()).cloned().collect());
        for (plan, token) in definitions.services {
            let id = plan.service().id.clone();
            self.persistence.remove_service(&id)?;
            let how = Registration { token, source: Source::Local, replace_checks: false };
            self.register_service(plan, &how)?;
        }
        for (check, spec) in definitions.checks {
            self.persistence.remove_check_definition(&check.id)?;
            let how = Registration {
                token: Token::from(check.token.as_str()),
                source: Source::Local,
                replace_checks: false,
            };
            // Agents have never named the type of checks that stand outside a service in a file.
            self.add_check_as("", check, spec, &how)?;
        }
        new_checks.iter().for_each(|id| self.restore_ttl(id));
        self.remove_undefined(&kept_services, &kept_checks)
    }

    /// Puts a check that was just added into the state that its program reported before the restart.
    fn restore_ttl(&self, id: &str) {
        if let Some(ttl) = self.persistence.ttl(id, now_unix()) {
            let now = Instant::now();
            self.book.change(|state| state.update_check(id, ttl.status, &ttl.output, now, Duration::ZERO));
        }
    }

    fn remove_undefined(
        &self,
        services: &BTreeSet<String>,
        checks: &BTreeSet<String>,
    ) -> Result<(), ServiceError> {
        let gone_services: Vec<String> = self.book.read(|state| {
            let local =
                state.services().filter(|entry| entry.source == Source::Local && entry.sidecar_of.is_none());
            local.map(|entry| entry.service.id.clone()).filter(|id| !services.contains(id)).collect()
        });
        for id in gone_services {
            self.remove_service(&id)?;
        }
        let gone_checks: Vec<String> = self.book.read(|state| {
            let local = state.checks().filter(|entry| {
                entry.source == Source::Local
                    && entry.definition.is_some()
                    && entry.check.r#type != "maintenance"
            });
            let of_sidecar = |entry: &LocalCheck| {
                state.service(&entry.check.service_id).is_some_and(|owner| owner.sidecar_of.is_some())
            };
            local
                .filter(|entry| !of_sidecar(entry))
                .map(|entry| entry.check.check_id.clone())
                .filter(|id| !checks.contains(id))
                .collect()
        });
        for id in gone_checks {
            self.remove_check(&id)?;
        }
        Ok(())
    }

    /// Brings back what the API had registered before the restart. Definitions of files with the same id win.
    pub fn restore_saved(&self) {
        for saved in self.persistence.services() {
            let id = saved.service.id.clone();
            if self.book.read(|state| state.service(&id).is_some()) {
                debug!(target: "agent", service = %id, "service exists, not restoring from file");
                if let Err(error) = self.persistence.remove_service(&id) {
                    warn!(target: "agent", service = %id, %error, "could not remove a saved service");
                }
                continue;
            }
            let token = Token::from(saved.token.0.as_str());
            self.book.change(|state| state.put_service(saved.service, token, saved.source, saved.sidecar_of));
        }
        for saved in self.persistence.checks() {
            let id = saved.check.check_id.clone();
            if self.book.read(|state| state.check(&id).is_some()) {
                debug!(target: "agent", check = %id, "check exists, not restoring from file");
                continue;
            }
            if let Err(error) = self.restore_check(saved) {
                warn!(target: "agent", check = %id, %error, "could not restore a saved check");
            }
        }
    }

    fn restore_check(&self, saved: SavedCheck) -> Result<(), ServiceError> {
        let token = Token::from(saved.token.0.as_str());
        let id = saved.check.check_id.clone();
        let Some(definition) = saved.definition else {
            let mark = LocalCheck {
                check: saved.check,
                definition: None,
                token,
                source: saved.source,
                sync: Sync::Dirty,
                critical_since: None,
                deregister_after: None,
                output_due: None,
            };
            self.book.change(|state| state.put_check(mark))?;
            return Ok(());
        };
        // The state that was registered with it counted for that first registration only.
        let definition = CheckDefinition { status: String::new(), ..definition };
        let spec = Arc::new(CheckSpec::new(&definition, self.settings.output_max)?);
        self.settings.scripts.authorize(&definition, super::register::origin(saved.source))?;
        self.add_check(
            definition,
            spec,
            &Registration { token, source: saved.source, replace_checks: false },
        )?;
        self.restore_ttl(&id);
        Ok(())
    }
}

impl Plan {
    fn check_ids(&self) -> Vec<String> {
        let own = self.checks().map(|check| check.id.clone());
        own.chain(self.sidecar().into_iter().flat_map(Self::check_ids)).collect()
    }
}
