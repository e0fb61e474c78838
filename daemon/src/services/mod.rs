//! Services and checks of this host: registration, running checks, persistence.
//!
//! Everything that changes the book goes through here. Bringing the catalog in line is `sync`'s part, which the book
//! wakes.

pub mod alias;
pub mod book;
mod maintenance;
pub mod reap;
mod register;
mod restore;
pub mod sync;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use consul_api::types::catalog::NodeService;
use consul_api::types::health::Status;
use consul_checks::{CheckMonitor, CheckRuntime, RuntimeOptions, ScriptSwitches, SpecError};
use parking_lot::Mutex;
use thiserror::Error;
use tracing::warn;

use crate::local::definition::DefinitionError;
use crate::local::persist::{Persistence, SavedTtl};
use crate::local::state::LocalError;
use book::Book;

pub use register::{Plan, Registration};
pub use restore::{FileDefinitionError, FileDefinitions};

/// Why a registration or an update was refused; nothing has changed.
#[derive(Debug, Error)]
pub enum ServiceError {
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    #[error(transparent)]
    Check(#[from] SpecError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error("{0}")]
    Sidecar(String),
    #[error("CheckID {0:?} does not have associated TTL")]
    NotTtl(String),
    #[error("could not save the registration: {0}")]
    Persist(#[from] std::io::Error),
}

/// What configuration says about local services.
#[derive(Clone, Debug)]
pub struct Settings {
    pub node: String,
    /// Bytes of check output that are kept.
    pub output_max: usize,
    /// How long a change of nothing but output may wait.
    pub output_delay: Duration,
    pub scripts: ScriptSwitches,
    pub sidecar_ports: (i64, i64),
}

pub struct Services {
    pub book: Arc<Book>,
    settings: Settings,
    persistence: Persistence,
    monitors: Mutex<HashMap<String, CheckMonitor>>,
    runtime: Arc<CheckRuntime>,
    discard_output: Arc<AtomicBool>,
}

impl Services {
    pub fn new(
        settings: Settings,
        persistence: Persistence,
        options: RuntimeOptions,
        catalog: alias::CatalogChecks,
    ) -> Self {
        let discard_output = Arc::new(AtomicBool::new(false));
        let book = Book::new(settings.output_delay, discard_output.clone());
        let watch = alias::LocalAliases::new(book.clone(), settings.node.clone(), catalog);
        let runtime = Arc::new(CheckRuntime::new(options, Arc::new(watch)));
        Self { book, settings, persistence, monitors: Mutex::default(), runtime, discard_output }
    }

    /// Whether outputs are kept at all. Reloadable.
    pub fn set_discard_output(&self, discard: bool) {
        self.discard_output.store(discard, Ordering::Relaxed);
    }

    /// Does a service satisfy `test`?
    pub fn any(&self, test: impl Fn(&NodeService) -> bool) -> bool {
        self.book.read(|state| state.services().any(|entry| test(&entry.service)))
    }

    pub fn remove_service(&self, id: &str) -> Result<(), ServiceError> {
        let removed = self.book.change(|state| state.remove_service(id))?;
        for check in &removed.checks {
            self.stop_check(check);
        }
        for service in &removed.services {
            self.persistence.remove_service(service)?;
        }
        for check in &removed.checks {
            self.persistence.remove_check(check)?;
        }
        Ok(())
    }

    pub fn remove_check(&self, id: &str) -> Result<(), ServiceError> {
        self.book.change(|state| state.remove_check(id))?;
        self.stop_check(id);
        self.persistence.remove_check(id)?;
        Ok(())
    }

    /// A TTL check reports.
    pub fn update_ttl(&self, id: &str, status: Status, note: &str) -> Result<(), ServiceError> {
        if self.book.read(|state| state.check(id).is_none()) {
            return Err(LocalError::UnknownCheck(id.to_owned()).into());
        }
        let saved = {
            let monitors = self.monitors.lock();
            let Some(monitor) = monitors.get(id) else { return Err(ServiceError::NotTtl(id.to_owned())) };
            let output = monitor.update_ttl(status, note).map_err(|error| ServiceError::NotTtl(error.0))?;
            let ttl = match &monitor.spec().kind {
                consul_checks::CheckKind::Ttl(ttl) => *ttl,
                _ => return Err(ServiceError::NotTtl(id.to_owned())),
            };
            let expires = now_unix().saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
            SavedTtl { check_id: id.to_owned(), output, status, expires }
        };
        // The state is what counts; that it survives a restart is a courtesy.
        if let Err(error) = self.persistence.save_ttl(&saved) {
            warn!(target: "agent", check = %id, %error, "could not save the state of a TTL check");
        }
        Ok(())
    }

    /// Ends all checks and what they had started.
    pub fn stop_checks(&self) {
        self.monitors.lock().clear();
    }

    fn stop_check(&self, id: &str) {
        let stopped = self.monitors.lock().remove(id);
        drop(stopped);
    }
}

fn now_unix() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}
