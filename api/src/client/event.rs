//! `/v1/event`: small messages to many agents.

use super::options::{Answer, QueryOptions, WriteOptions};
use super::{Client, ClientError};
use crate::types::event::UserEvent;

pub struct Events<'c>(pub(super) &'c Client);

impl Events<'_> {
    /// Sends name, payload and filters of `event`; the answer has its id.
    pub async fn fire(&self, event: &UserEvent, options: &WriteOptions) -> Result<UserEvent, ClientError> {
        self.0
            .put("/v1/event/fire/")
            .segment(&event.name)
            .optional("node", &event.node_filter)
            .optional("service", &event.service_filter)
            .optional("tag", &event.tag_filter)
            .write(options)
            .bytes(event.payload.as_slice().to_vec())
            .fetch_value()
            .await
    }

    /// The latest events that the agent saw, oldest first; only those called `name` unless that is empty. The index
    /// of an answer is not a count: compare it for equality only.
    pub async fn list(
        &self,
        name: &str,
        options: &QueryOptions,
    ) -> Result<Answer<Vec<UserEvent>>, ClientError> {
        self.0.get("/v1/event/list").optional("name", name).query(options).fetch().await
    }

    /// The index under which an event list ends with the event `id`: the halves of the UUID, combined. None if the
    /// id is no UUID.
    pub fn index_of(id: &str) -> Option<u64> {
        let digits: String = id.chars().filter(|character| *character != '-').collect();
        let (low, high) = digits.split_at_checked(16).filter(|_| digits.len() == 32)?;
        Some(u64::from_str_radix(low, 16).ok()? ^ u64::from_str_radix(high, 16).ok()?)
    }
}
