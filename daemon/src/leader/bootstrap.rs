//! Configuration entries that the agent's own configuration brings along: what a new leader stores if it is absent.

use consul_api::types::config_entry::ConfigEntry;
use consul_config::RuntimeConfig;
use consul_state::config_entry::ConfigEntryCommand;
use consul_state::{Command, WatchSet};
use serde_json::Value;

use crate::config_entries;
use crate::rpc::RpcError;
use crate::server::Server;

/// The configured entries, or what is wrong with the first bad one.
pub fn entries(config: &RuntimeConfig) -> Result<Vec<ConfigEntry>, String> {
    config.bootstrap_config_entries.iter().enumerate().map(|(at, document)| entry(at, document)).collect()
}

fn entry(at: usize, document: &Value) -> Result<ConfigEntry, String> {
    let refused = |reason: &dyn std::fmt::Display| format!("config_entries.bootstrap[{at}]: {reason}");
    let Value::Object(fields) = document else { return Err(refused(&"must be an object")) };
    let entry = config_entries::decode(fields).map_err(|error| refused(&error))?;
    config_entries::validate(&entry).map_err(|error| refused(&error))?;
    Ok(entry)
}

impl Server {
    /// Stores those of the configured entries that do not exist. Operators' changes to the others stay.
    pub(crate) async fn store_bootstrap_entries(&self) -> Result<(), RpcError> {
        for entry in self.bootstrap_entries.load().iter() {
            let version = self.store.version();
            if version.config_entry(&entry.kind, &entry.name, &mut WatchSet::new()).1.is_some() {
                continue;
            }
            // Index 0 leaves an entry alone that somebody writes at this moment.
            let command = ConfigEntryCommand::Set { entry: Box::new(entry.clone()), cas: Some(0) };
            self.propose(&Command::ConfigEntry(command)).await?.reply?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_are_spelled_canonically_and_bad_ones_are_named() {
        let good = entry(0, &json!({"kind": "service-defaults", "name": "web", "protocol": "http"})).unwrap();
        assert_eq!((good.kind.as_str(), good.name.as_str()), ("service-defaults", "web"));
        assert_eq!(good.fields["Protocol"], "http");
        let bad = entry(3, &json!({"kind": "bogus", "name": "web"})).unwrap_err();
        assert_eq!(bad, "config_entries.bootstrap[3]: invalid config entry kind: bogus");
    }
}
