//! `/v1/config`: centralised configuration entries.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::config_entry::ConfigEntry;

pub struct ConfigEntries<'c>(pub(super) &'c Client);

impl ConfigEntries<'_> {
    pub async fn get(
        &self,
        kind: &str,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<ConfigEntry>>, ClientError> {
        self.0.get("/v1/config/").segment(kind).segment("/").segment(name).query(options).find().await
    }

    pub async fn list(
        &self,
        kind: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<ConfigEntry>>, ClientError> {
        self.0.get("/v1/config/").segment(kind).query(options).fetch().await
    }

    /// Writes an entry as its author wrote it: the agent checks and normalises it.
    pub async fn set(&self, entry: &serde_json::Value, options: &WriteOptions) -> Result<bool, ClientError> {
        self.0.put("/v1/config").write(options).json(entry).fetch_value().await
    }

    /// Writes if the entry's modify index still is `index`; 0 means "does not exist".
    pub async fn cas(
        &self,
        entry: &serde_json::Value,
        index: u64,
        options: &WriteOptions,
    ) -> Result<bool, ClientError> {
        let request = self.0.put("/v1/config").param("cas", index.to_string());
        request.write(options).json(entry).fetch_value().await
    }

    /// Succeeds for unknown entries too.
    pub async fn delete(&self, kind: &str, name: &str, options: &WriteOptions) -> Result<(), ClientError> {
        let request = self.0.delete("/v1/config/").segment(kind).segment("/").segment(name);
        request.write(options).done().await
    }
}
