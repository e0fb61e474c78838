//! `/v1/status`: the quorum, without a token.

use super::{Client, ClientError};

pub struct Status<'c>(pub(super) &'c Client);

impl Status<'_> {
    /// `ip:port` of the leader, empty if there is none.
    pub async fn leader(&self, datacenter: &str) -> Result<String, ClientError> {
        self.0.get("/v1/status/leader").optional("dc", datacenter).fetch_value().await
    }

    /// `ip:port` of every server in the quorum.
    pub async fn peers(&self, datacenter: &str) -> Result<Vec<String>, ClientError> {
        self.0.get("/v1/status/peers").optional("dc", datacenter).fetch_value().await
    }
}
