//! `/v1/catalog`: nodes and services as the servers know them.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::catalog::{Node, NodeServiceList, NodeServices, ServiceNode, Services};
use crate::types::request::{DeregisterRequest, RegisterRequest};

pub struct Catalog<'c>(pub(super) &'c Client);

impl Catalog<'_> {
    /// Known datacenters, nearest first.
    pub async fn datacenters(&self) -> Result<Vec<String>, ClientError> {
        self.0.get("/v1/catalog/datacenters").fetch_value().await
    }

    pub async fn nodes(&self, options: &QueryOptions) -> Result<Answer<Vec<Node>>, ClientError> {
        self.0.get("/v1/catalog/nodes").query(options).fetch().await
    }

    /// Names of all services with the tags their instances have.
    pub async fn services(&self, options: &QueryOptions) -> Result<Answer<Services>, ClientError> {
        self.0.get("/v1/catalog/services").query(options).fetch().await
    }

    /// Instances of a service that have all of `tags`.
    pub async fn service(
        &self,
        name: &str,
        tags: &[String],
        options: &QueryOptions,
    ) -> Result<Answer<Vec<ServiceNode>>, ClientError> {
        self.instances("/v1/catalog/service/", name, tags, options).await
    }

    /// Instances that can be reached through the mesh.
    pub async fn connect(
        &self,
        name: &str,
        tags: &[String],
        options: &QueryOptions,
    ) -> Result<Answer<Vec<ServiceNode>>, ClientError> {
        self.instances("/v1/catalog/connect/", name, tags, options).await
    }

    /// A node with its services, or none.
    pub async fn node(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<NodeServices>>, ClientError> {
        self.0
            .get("/v1/catalog/node/")
            .segment(name)
            .query(options)
            .find::<Option<NodeServices>>()
            .await
            .map(|answer| answer.map(Option::flatten))
    }

    /// The same as a list; both parts are absent for an unknown node. Agents before 1.7 do not have it.
    pub async fn node_services(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<NodeServiceList>, ClientError> {
        self.0.get("/v1/catalog/node-services/").segment(name).query(options).fetch().await
    }

    pub async fn register(
        &self,
        registration: &RegisterRequest,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        self.0.put("/v1/catalog/register").write(options).json(registration).done().await
    }

    pub async fn deregister(
        &self,
        deregistration: &DeregisterRequest,
        options: &WriteOptions,
    ) -> Result<(), ClientError> {
        self.0.put("/v1/catalog/deregister").write(options).json(deregistration).done().await
    }

    async fn instances(
        &self,
        path: &str,
        name: &str,
        tags: &[String],
        options: &QueryOptions,
    ) -> Result<Answer<Vec<ServiceNode>>, ClientError> {
        let mut request = self.0.get(path).segment(name);
        for tag in tags {
            request = request.param("tag", tag.as_str());
        }
        request.query(options).fetch().await
    }
}
