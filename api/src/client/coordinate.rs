//! `/v1/coordinate`: where nodes lie in the latency space.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::coordinate::{DatacenterCoordinates, NodeCoordinate};

pub struct Coordinates<'c>(pub(super) &'c Client);

impl Coordinates<'_> {
    /// Servers of every datacenter, in the coordinates of the WAN pool.
    pub async fn datacenters(&self) -> Result<Vec<DatacenterCoordinates>, ClientError> {
        self.0.get("/v1/coordinate/datacenters").fetch_value().await
    }

    pub async fn nodes(&self, options: &QueryOptions) -> Result<Answer<Vec<NodeCoordinate>>, ClientError> {
        self.0.get("/v1/coordinate/nodes").query(options).fetch().await
    }

    /// One node's coordinates, one per network segment; empty if there are none.
    pub async fn node(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<NodeCoordinate>>, ClientError> {
        let found = self.0.get("/v1/coordinate/node/").segment(name).query(options).find().await?;
        Ok(found.map(Option::unwrap_or_default))
    }

    pub async fn update(
        &self,
        coordinate: &NodeCoordinate,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        self.0.put("/v1/coordinate/update").write(options).json(coordinate).done().await
    }
}
