//! `/v1/query`: prepared queries.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::session::Created;
use super::{Client, ClientError};
use crate::types::query::{PreparedQuery, QueryExecuteResponse};

pub struct PreparedQueries<'c>(pub(super) &'c Client);

impl PreparedQueries<'_> {
    /// Stores a query without an id and returns the id it got.
    pub async fn create(&self, query: &PreparedQuery, options: &WriteOptions) -> Result<String, ClientError> {
        let created: Created = self.0.post("/v1/query").write(options).json(query).fetch_value().await?;
        Ok(created.id)
    }

    /// Replaces the query of the same id.
    pub async fn update(&self, query: &PreparedQuery, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.put("/v1/query/").segment(&query.id).write(options).json(query).done().await
    }

    pub async fn delete(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/query/").segment(id).write(options).done().await
    }

    pub async fn get(
        &self,
        id: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<PreparedQuery>>, ClientError> {
        let found = self.0.get("/v1/query/").segment(id).query(options).find::<Vec<PreparedQuery>>().await?;
        Ok(found.map(|queries| queries.and_then(|queries| queries.into_iter().next())))
    }

    pub async fn list(&self, options: &QueryOptions) -> Result<Answer<Vec<PreparedQuery>>, ClientError> {
        self.0.get("/v1/query").query(options).fetch().await
    }

    /// Runs a query by id or name. None if nothing matches.
    pub async fn execute(
        &self,
        id_or_name: &str,
        limit: Option<u32>,
        options: &QueryOptions,
    ) -> Result<Answer<Option<QueryExecuteResponse>>, ClientError> {
        let request = self.0.get("/v1/query/").segment(id_or_name).segment("/execute");
        let request = match limit {
            Some(limit) => request.param("limit", limit.to_string()),
            None => request,
        };
        request.query(options).find().await
    }
}
