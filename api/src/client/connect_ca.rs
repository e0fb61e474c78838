//! `/v1/connect/ca`: the mesh's certificate authority. Documents pass as they are: nothing here interprets them.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};

pub struct ConnectCa<'c>(pub(super) &'c Client);

impl ConnectCa<'_> {
    /// Trusted roots.
    pub async fn roots(&self, options: &QueryOptions) -> Result<Answer<serde_json::Value>, ClientError> {
        self.0.get("/v1/connect/ca/roots").query(options).fetch().await
    }

    pub async fn configuration(
        &self,
        options: &QueryOptions,
    ) -> Result<Answer<serde_json::Value>, ClientError> {
        self.0.get("/v1/connect/ca/configuration").query(options).fetch().await
    }

    pub async fn set_configuration(
        &self,
        config: &serde_json::Value,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        self.0.put("/v1/connect/ca/configuration").write(options).json(config).done().await
    }
}
