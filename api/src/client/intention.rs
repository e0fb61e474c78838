//! `/v1/connect/intentions`: which service may talk to which.

use serde::Deserialize;

use super::options::{Answer, QueryOptions, WriteOptions};
use super::session::Created;
use super::{Client, ClientError};
use crate::types::intention::Intention;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Decision {
    allowed: bool,
}

pub struct Intentions<'c>(pub(super) &'c Client);

impl Intentions<'_> {
    pub async fn list(&self, options: &QueryOptions) -> Result<Answer<Vec<Intention>>, ClientError> {
        self.0.get("/v1/connect/intentions").query(options).fetch().await
    }

    pub async fn get(
        &self,
        id: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<Intention>>, ClientError> {
        self.0.get("/v1/connect/intentions/").segment(id).query(options).find().await
    }

    /// Stores an intention without an id and returns the id it got.
    pub async fn create(&self, intention: &Intention, options: &WriteOptions) -> Result<String, ClientError> {
        let request = self.0.post("/v1/connect/intentions").write(options).json(intention);
        Ok(request.fetch_value::<Created>().await?.id)
    }

    /// Replaces the intention of the same id.
    pub async fn update(&self, intention: &Intention, options: &WriteOptions) -> Result<(), ClientError> {
        let request = self.0.put("/v1/connect/intentions/").segment(&intention.id);
        request.write(options).json(intention).done().await
    }

    pub async fn delete(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.delete("/v1/connect/intentions/").segment(id).write(options).done().await
    }

    /// Whether `source` may connect to `destination`, defaults included.
    pub async fn check(
        &self,
        source: &str,
        destination: &str,
        options: &QueryOptions,
    ) -> Result<bool, ClientError> {
        let request = self.0.get("/v1/connect/intentions/check");
        let request = request.param("source", source).param("destination", destination).query(options);
        Ok(request.fetch_value::<Decision>().await?.allowed)
    }

    /// Intentions that apply to a service, strongest first; `by` is `source` or `destination`.
    pub async fn matching(
        &self,
        by: &str,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Vec<Intention>, ClientError> {
        let request = self.0.get("/v1/connect/intentions/match").param("by", by).param("name", name);
        let mut found: std::collections::BTreeMap<String, Vec<Intention>> =
            request.query(options).fetch_value().await?;
        Ok(found.remove(name).unwrap_or_default())
    }
}
