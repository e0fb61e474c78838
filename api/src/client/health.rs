//! `/v1/health`: checks, and instances with their health.

use super::options::{Answer, QueryOptions};
use super::{Client, ClientError};
use crate::types::health::{CheckServiceNode, HealthCheck};

pub struct Health<'c>(pub(super) &'c Client);

impl Health<'_> {
    /// All checks of a node.
    pub async fn node(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<HealthCheck>>, ClientError> {
        self.0.get("/v1/health/node/").segment(name).query(options).fetch().await
    }

    /// The checks of a service's instances.
    pub async fn checks(
        &self,
        service: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<HealthCheck>>, ClientError> {
        self.0.get("/v1/health/checks/").segment(service).query(options).fetch().await
    }

    /// Checks in a state: `passing`, `warning`, `critical` or `any`.
    pub async fn state(
        &self,
        state: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<HealthCheck>>, ClientError> {
        self.0.get("/v1/health/state/").segment(state).query(options).fetch().await
    }

    /// Instances of a service that have all of `tags`; only those without a warning or critical check if asked.
    pub async fn service(
        &self,
        name: &str,
        tags: &[String],
        passing_only: bool,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<CheckServiceNode>>, ClientError> {
        self.instances("/v1/health/service/", name, tags, passing_only, options).await
    }

    /// Instances that can be reached through the mesh.
    pub async fn connect(
        &self,
        name: &str,
        tags: &[String],
        passing_only: bool,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<CheckServiceNode>>, ClientError> {
        self.instances("/v1/health/connect/", name, tags, passing_only, options).await
    }

    async fn instances(
        &self,
        path: &str,
        name: &str,
        tags: &[String],
        passing_only: bool,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<CheckServiceNode>>, ClientError> {
        let mut request = self.0.get(path).segment(name);
        for tag in tags {
            request = request.param("tag", tag.as_str());
        }
        if passing_only {
            request = request.param("passing", "1");
        }
        request.query(options).fetch().await
    }
}
