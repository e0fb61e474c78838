//! The autopilot configuration: one record for the whole datacenter.

use std::sync::Arc;

use consul_api::types::operator::AutopilotConfig;
use serde::{Deserialize, Serialize};

use crate::command::Reply;
use crate::table::Table;
use crate::version::Version;
use crate::watch::WatchSet;
use crate::writer::Writer;

/// Replaces the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutopilotCommand {
    pub config: AutopilotConfig,
    /// Only if the present configuration has this modify index.
    pub cas: Option<u64>,
}

impl Version {
    /// The configuration, none before the leader wrote the first one.
    pub fn autopilot(&self, watch: &mut WatchSet) -> (u64, Option<&Arc<AutopilotConfig>>) {
        (self.table_index(Table::Autopilot, watch), self.tables.autopilot.as_ref())
    }
}

impl Writer {
    pub(crate) fn apply_autopilot(&mut self, command: &AutopilotCommand) -> Reply {
        let existing = self.tables.autopilot.as_ref();
        if let Some(wanted) = command.cas
            && existing.is_none_or(|config| config.modify_index != wanted)
        {
            return Reply::Applied(false);
        }
        let create_index = existing.map_or(self.index, |config| config.create_index);
        let config = AutopilotConfig { create_index, modify_index: self.index, ..command.config.clone() };
        self.tables.autopilot = Some(Arc::new(config));
        self.touch(Table::Autopilot);
        Reply::Applied(true)
    }
}
