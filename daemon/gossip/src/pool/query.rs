//! A query that was asked.

use tokio::sync::mpsc;

use crate::serf::{QueryId, QueryReply};

/// The reactions to a query, as they come. Dropped, nobody waits for more.
#[derive(Debug)]
pub struct Query {
    id: QueryId,
    replies: mpsc::UnboundedReceiver<QueryReply>,
}

impl Query {
    pub(super) fn new(id: QueryId, replies: mpsc::UnboundedReceiver<QueryReply>) -> Self {
        Self { id, replies }
    }

    /// Names the query.
    pub fn id(&self) -> QueryId {
        self.id
    }

    /// The next reaction; `None` when the time is over or the pool was shut down. Cancel safe.
    pub async fn next(&mut self) -> Option<QueryReply> {
        self.replies.recv().await
    }
}
