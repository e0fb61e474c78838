//! `/v1/session`: leases that hold locks.

use serde::{Deserialize, Serialize};

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::duration::GoDuration;
use crate::types::session::{ServiceCheck, Session};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Created {
    #[serde(rename = "ID")]
    pub id: String,
}

/// A session as it is asked for: what is left out takes the agent's default.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreateBody<'s> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'s str,
    #[serde(skip_serializing_if = "str::is_empty")]
    node: &'s str,
    /// As text: the agent takes small numbers for seconds.
    #[serde(skip_serializing_if = "GoDuration::is_zero")]
    lock_delay: GoDuration,
    #[serde(skip_serializing_if = "str::is_empty")]
    behavior: &'s str,
    #[serde(rename = "TTL", skip_serializing_if = "str::is_empty")]
    ttl: &'s str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_checks: &'s Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_checks: &'s Option<Vec<ServiceCheck>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: &'s Option<Vec<String>>,
}

pub struct Sessions<'c>(pub(super) &'c Client);

impl Sessions<'_> {
    /// Creates a session and returns its id. Empty and zero fields of `session` are left to the agent; so a lock
    /// delay of nothing cannot be asked for here.
    pub async fn create(&self, session: &Session, options: &WriteOptions) -> Result<String, ClientError> {
        let body = CreateBody {
            name: &session.name,
            node: &session.node,
            lock_delay: GoDuration(session.lock_delay.0),
            behavior: &session.behavior,
            ttl: &session.ttl,
            node_checks: &session.node_checks,
            service_checks: &session.service_checks,
            checks: &session.checks,
        };
        let created: Created =
            self.0.put("/v1/session/create").write(options).json(&body).fetch_value().await?;
        Ok(created.id)
    }

    /// Ends a session; its locks go as its behavior says. Succeeds for unknown ids too.
    pub async fn destroy(&self, id: &str, options: &WriteOptions) -> Result<(), ClientError> {
        self.0.put("/v1/session/destroy/").segment(id).write(options).done().await
    }

    /// Restarts the session's TTL. None if there is no such session any more.
    pub async fn renew(&self, id: &str, options: &WriteOptions) -> Result<Option<Session>, ClientError> {
        let found =
            self.0.put("/v1/session/renew/").segment(id).write(options).find::<Vec<Session>>().await?;
        Ok(found.value.and_then(|sessions| sessions.into_iter().next()))
    }

    pub async fn info(
        &self,
        id: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Option<Session>>, ClientError> {
        let found: Answer<Vec<Session>> =
            self.0.get("/v1/session/info/").segment(id).query(options).fetch().await?;
        Ok(found.map(|sessions| sessions.into_iter().next()))
    }

    /// Sessions of one node.
    pub async fn node(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<Session>>, ClientError> {
        self.0.get("/v1/session/node/").segment(name).query(options).fetch().await
    }

    pub async fn list(&self, options: &QueryOptions) -> Result<Answer<Vec<Session>>, ClientError> {
        self.0.get("/v1/session/list").query(options).fetch().await
    }
}
