//! Health checks of nodes and of instances.

use std::sync::Arc;

use consul_api::types::health::HealthCheck;

use crate::error::ApplyError;
use crate::names;
use crate::table::Table;
use crate::writer::Writer;

impl Writer {
    /// Stores a check on an existing node. One that turns critical ends the sessions tied to it.
    pub(crate) fn ensure_check(&mut self, check: &HealthCheck) -> Result<(), ApplyError> {
        let lower = check.node.to_lowercase();
        let Some(entry) = self.tables.catalog.entry(&lower) else { return Err(ApplyError::MissingNode) };
        let mut check = check.clone();
        if check.status.is_empty() {
            check.status = "critical".to_owned();
        }
        if !check.service_id.is_empty() {
            let service = entry.service(&check.service_id).ok_or(ApplyError::MissingService)?;
            check.service_name.clone_from(&service.service);
            check.service_tags.clone_from(&service.tags);
        }
        if check.check_id.is_empty() {
            return Err(ApplyError::MissingPrimaryIndex("check"));
        }
        let id: Arc<str> = check.check_id.to_lowercase().into();
        let existing = entry.checks.get(&*id).cloned();
        check.create_index = existing.as_ref().map_or(self.index, |known| known.create_index);
        check.modify_index = existing.as_ref().map_or(self.index, |known| known.modify_index);
        if check.status == "critical" {
            self.end_sessions_of_check(&lower, &id);
        }
        if existing.as_deref() == Some(&check) {
            return Ok(());
        }
        check.modify_index = self.index;
        let moved_from = existing.filter(|known| !known.service_id.eq_ignore_ascii_case(&check.service_id));
        let service_id = check.service_id.to_lowercase();
        self.with_entry(&lower, |entry| {
            entry.checks.insert(id, Arc::new(check));
        });
        self.touch(Table::Checks);
        if let Some(known) = moved_from {
            self.refresh_checked(&lower, &known.service_id.to_lowercase());
        }
        self.refresh_checked(&lower, &service_id);
        Ok(())
    }

    /// Removes a check and ends the sessions tied to it. `id` in lower case.
    pub(crate) fn delete_check(&mut self, lower: &str, id: &str) {
        let Some(check) = self.drop_check(lower, id) else { return };
        self.refresh_checked(lower, &names::lower(&check.service_id));
    }

    /// As [`Writer::delete_check`], where the instance that the check belongs to goes too.
    pub(crate) fn drop_check(&mut self, lower: &str, id: &str) -> Option<Arc<HealthCheck>> {
        let check = self.tables.catalog.entry(lower)?.checks.get(id).cloned()?;
        self.with_entry(lower, |entry| {
            entry.checks.remove(id);
        });
        self.touch(Table::Checks);
        self.end_sessions_of_check(lower, id);
        Some(check)
    }

    /// A check of a service concerns one instance, a check of the node all of them.
    fn refresh_checked(&mut self, lower: &str, service_id: &str) {
        if service_id.is_empty() {
            self.refresh_instances_of(lower);
        } else {
            self.refresh_instance(lower, service_id);
        }
    }
}
