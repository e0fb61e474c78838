//! Registering services and checks: everything is validated before anything changes.

use std::sync::Arc;

use consul_api::types::agent::{CheckDefinition, ConnectDefinition, ServiceDefinition};
use consul_api::types::catalog::NodeService;
use consul_api::types::health::SERVICE_MAINTENANCE_PREFIX;
use consul_checks::{CheckMonitor, CheckSpec, Origin};
use tracing::{debug, warn};

use super::{ServiceError, Services};
use crate::local::definition;
use crate::local::entry::Source;
use crate::local::persist::{SavedCheck, SavedService, Secret};
use crate::local::sidecar;
use crate::local::state::{LocalError, new_check};
use crate::rpc::Token;

/// How a service is registered.
#[derive(Clone, Debug)]
pub struct Registration {
    pub token: Token,
    pub source: Source,
    /// Checks of the service that the definition does not list go.
    pub replace_checks: bool,
}

/// A validated definition: registering it cannot be refused any more.
pub struct Plan {
    service: NodeService,
    checks: Vec<(CheckDefinition, Arc<CheckSpec>)>,
    sidecar: Option<Box<Plan>>,
}

impl Plan {
    pub fn service(&self) -> &NodeService {
        &self.service
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = &CheckDefinition> {
        self.checks.iter().map(|(definition, _)| definition)
    }

    pub(super) fn sidecar(&self) -> Option<&Self> {
        self.sidecar.as_deref()
    }
}

impl Services {
    /// Validates a service definition with its checks and its sidecar.
    pub fn plan_service(
        &self,
        mut definition: ServiceDefinition,
        source: Source,
    ) -> Result<Plan, ServiceError> {
        let (min, max) = self.settings.sidecar_ports;
        let free_port = || self.sidecar_port(&definition_id(&definition), min, max);
        let port = free_port();
        let sidecar = sidecar::take(&mut definition, || port).map_err(ServiceError::Sidecar)?;
        let service = definition::to_node_service(&definition)?;
        let mut checks = Vec::new();
        for check in definition::service_checks(&definition, &service)? {
            checks.push(self.plan_check(check, source)?);
        }
        let sidecar = sidecar.map(|sidecar| self.plan_service(sidecar, source).map(Box::new)).transpose()?;
        Ok(Plan { service, checks, sidecar })
    }

    /// The port a sidecar has already, else a free one.
    fn sidecar_port(&self, id: &str, min: i64, max: i64) -> Option<i64> {
        let sidecar_id = format!("{id}-sidecar-proxy");
        self.book.read(|state| {
            let present = state.service(&sidecar_id).map(|entry| entry.service.port);
            present.filter(|port| (min..=max).contains(port)).or_else(|| state.free_port(min, max))
        })
    }

    pub(super) fn plan_check(
        &self,
        check: CheckDefinition,
        source: Source,
    ) -> Result<(CheckDefinition, Arc<CheckSpec>), ServiceError> {
        self.settings.scripts.authorize(&check, origin(source))?;
        let spec = CheckSpec::new(&check, self.settings.output_max)?;
        Ok((check, Arc::new(spec)))
    }

    /// Puts a planned service into the book and runs its checks.
    pub fn register_service(&self, plan: Plan, how: &Registration) -> Result<(), ServiceError> {
        self.register_with_owner(plan, how, None)
    }

    fn register_with_owner(
        &self,
        plan: Plan,
        how: &Registration,
        owner: Option<&str>,
    ) -> Result<(), ServiceError> {
        warn_undiscoverable(&plan.service);
        let Plan { service, checks, sidecar } = plan;
        let id = service.id.clone();
        if how.source == Source::Remote {
            let saved = SavedService {
                token: Secret(how.token.as_str().to_owned()),
                service: service.clone(),
                source: how.source,
                sidecar_of: owner.map(str::to_owned),
            };
            self.persistence.save_service(&id, &saved)?;
        }
        let stale = if how.replace_checks { self.unlisted_checks(&id, &checks) } else { Vec::new() };
        self.book.change(|state| {
            state.put_service(service, how.token.clone(), how.source, owner.map(str::to_owned))
        });
        for check in stale {
            self.remove_check(&check)?;
        }
        for (definition, spec) in checks {
            self.add_check(definition, spec, how)?;
        }
        if let Some(sidecar) = sidecar {
            self.register_with_owner(*sidecar, how, Some(&id))?;
        }
        Ok(())
    }

    fn unlisted_checks(&self, service_id: &str, listed: &[(CheckDefinition, Arc<CheckSpec>)]) -> Vec<String> {
        let is_listed = |id: &str| listed.iter().any(|(definition, _)| definition.id == id);
        self.book.read(|state| {
            let ids = state.checks_of(service_id).map(|entry| entry.check.check_id.clone());
            ids.filter(|id| !is_listed(id) && !id.starts_with(SERVICE_MAINTENANCE_PREFIX)).collect()
        })
    }

    /// Validates and registers a check that stands on its own or belongs to a service that is there already.
    pub fn register_check(
        &self,
        definition: CheckDefinition,
        how: &Registration,
    ) -> Result<(), ServiceError> {
        let definition = definition::node_check(definition)?;
        let (definition, spec) = self.plan_check(definition, how.source)?;
        let service_id = &definition.service_id;
        if !service_id.is_empty() && self.book.read(|state| state.service(service_id).is_none()) {
            return Err(LocalError::NoSuchService(service_id.clone()).into());
        }
        self.add_check(definition, spec, how)
    }

    pub(super) fn add_check(
        &self,
        definition: CheckDefinition,
        spec: Arc<CheckSpec>,
        how: &Registration,
    ) -> Result<(), ServiceError> {
        let type_name = spec.kind.type_name();
        self.add_check_as(type_name, definition, spec, how)
    }

    /// The same under another name of its type.
    pub(super) fn add_check_as(
        &self,
        type_name: &str,
        definition: CheckDefinition,
        spec: Arc<CheckSpec>,
        how: &Registration,
    ) -> Result<(), ServiceError> {
        let entry = new_check(&self.settings.node, &definition, type_name, how.token.clone(), how.source);
        if how.source == Source::Remote {
            let saved = SavedCheck {
                check: entry.check.clone(),
                definition: Some(definition),
                token: Secret(how.token.as_str().to_owned()),
                source: how.source,
            };
            self.persistence.save_check(&entry.check.check_id, &saved)?;
        }
        let id = entry.check.check_id.clone();
        self.stop_check(&id);
        self.book.change(|state| state.put_check(entry))?;
        let monitor = CheckMonitor::spawn(spec, self.book.clone(), self.runtime.clone());
        self.monitors.lock().insert(id, monitor);
        Ok(())
    }
}

fn definition_id(definition: &ServiceDefinition) -> String {
    let has_sidecar = |connect: &ConnectDefinition| connect.sidecar_service.is_some();
    if !definition.connect.as_ref().is_some_and(has_sidecar) {
        return String::new();
    }
    if definition.id.is_empty() { definition.name.clone() } else { definition.id.clone() }
}

pub(super) fn origin(source: Source) -> Origin {
    match source {
        Source::Local => Origin::ConfigFile,
        Source::Remote => Origin::Api,
    }
}

fn warn_undiscoverable(service: &NodeService) {
    if let Some(reason) = definition::undiscoverable(&service.service) {
        warn!(target: "agent", service = %service.service, "Service name {reason}");
    }
    for tag in service.tags.iter().flatten() {
        if let Some(reason) = definition::undiscoverable(tag) {
            debug!(target: "agent", tag = %tag, "Service tag {reason}");
        }
    }
}
