//! Changing the keys of all members together.

use thiserror::Error;

use super::attached::Attached;
use crate::keyring::Key;
use crate::serf::QueryError;
use crate::serf::QueryReply;
use crate::serf::keys::{KeyOperation, KeyReport, KeyReportError};
use crate::shell::{Handle, Stopped};

/// Why a key operation is not known to be complete.
#[derive(Clone, Debug, Error)]
pub enum KeyFailure {
    /// Some members failed, or did not answer; the report says what is known.
    #[error("{reason}")]
    Incomplete { reason: KeyReportError, report: KeyReport },
    #[error(transparent)]
    Query(QueryError),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Asks all members, this one included, and counts what became of it.
#[derive(Debug)]
pub struct Keys<'p> {
    handle: &'p Handle<Attached>,
    relay_factor: u8,
}

impl<'p> Keys<'p> {
    pub(super) fn new(handle: &'p Handle<Attached>) -> Self {
        Self { handle, relay_factor: 0 }
    }

    /// Has answers come by way of so many other members, too.
    pub fn relay_factor(self, relay_factor: u8) -> Self {
        Self { relay_factor, ..self }
    }

    /// Adds a key to all keyrings.
    ///
    /// # Errors
    /// Not all members did.
    pub async fn install(&self, key: &Key) -> Result<KeyReport, KeyFailure> {
        self.ask(KeyOperation::Install, Some(key)).await
    }

    /// Makes a key the one that seals.
    ///
    /// # Errors
    /// Not all members did; some may not have the key.
    pub async fn use_key(&self, key: &Key) -> Result<KeyReport, KeyFailure> {
        self.ask(KeyOperation::Use, Some(key)).await
    }

    /// Removes a key from all keyrings.
    ///
    /// # Errors
    /// Not all members did; for some it may be the one that seals.
    pub async fn remove(&self, key: &Key) -> Result<KeyReport, KeyFailure> {
        self.ask(KeyOperation::Remove, Some(key)).await
    }

    /// Counts who has which keys.
    ///
    /// # Errors
    /// Not all members told theirs.
    pub async fn list(&self) -> Result<KeyReport, KeyFailure> {
        self.ask(KeyOperation::List, None).await
    }

    async fn ask(&self, operation: KeyOperation, key: Option<&Key>) -> Result<KeyReport, KeyFailure> {
        let (key, relay_factor) = (key.cloned(), self.relay_factor);
        let (members, mut replies) = self
            .handle
            .with(move |now, swim, attached| {
                let id = attached.serf.key_query(now, swim, operation, key.as_ref(), relay_factor)?;
                Ok((swim.member_count(), attached.listen(id)))
            })
            .await?
            .map_err(KeyFailure::Query)?;
        let mut report = KeyReport::new(members);
        while !report.is_complete()
            && let Some(reply) = replies.recv().await
        {
            if let QueryReply::Response { from, payload } = reply {
                report.add(from, &payload);
            }
        }
        match report.verdict() {
            Ok(()) => Ok(report),
            Err(reason) => Err(KeyFailure::Incomplete { reason, report }),
        }
    }
}
