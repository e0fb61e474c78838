//! Maintenance mode of the node and of single services.

use super::{ServiceError, Services};
use crate::local::entry::Source;
use crate::local::maintenance::{self, Subject};
use crate::local::persist::{SavedCheck, Secret};
use crate::local::state::LocalError;
use crate::rpc::Token;

impl Services {
    /// Marks `subject`; a mark that is there already stays with its reason.
    pub fn enable_maintenance(
        &self,
        subject: Subject<'_>,
        reason: &str,
        token: Token,
    ) -> Result<(), ServiceError> {
        self.require_subject(subject)?;
        let id = subject.check_id();
        if self.book.read(|state| state.check(&id).is_some()) {
            return Ok(());
        }
        let mut mark = maintenance::mark(subject, reason, token.clone());
        mark.check.node.clone_from(&self.settings.node);
        let saved = SavedCheck {
            check: mark.check.clone(),
            definition: None,
            token: Secret(token.as_str().to_owned()),
            source: Source::Local,
        };
        self.persistence.save_check(&id, &saved)?;
        self.book.change(|state| state.put_check(mark))?;
        tracing::info!(target: "agent", check = %id, "entered maintenance mode");
        Ok(())
    }

    pub fn disable_maintenance(&self, subject: Subject<'_>) -> Result<(), ServiceError> {
        self.require_subject(subject)?;
        let id = subject.check_id();
        match self.remove_check(&id) {
            Err(ServiceError::Local(LocalError::UnknownCheck(_))) => Ok(()),
            Ok(()) => {
                tracing::info!(target: "agent", check = %id, "left maintenance mode");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn require_subject(&self, subject: Subject<'_>) -> Result<(), ServiceError> {
        match subject {
            Subject::Service(id) if self.book.read(|state| state.service(id).is_none()) => {
                Err(LocalError::NoSuchService(id.to_owned()).into())
            }
            _ => Ok(()),
        }
    }
}
