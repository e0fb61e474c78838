//! Keeps a session alive in the background, as long as somebody needs it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use super::options::WriteOptions;
use super::{Client, ClientError};
use crate::types::duration::GoDuration;
use crate::types::session::Session;

/// A session that is renewed until this is closed or dropped. Dropping leaves it to expire.
pub struct SessionKeeper {
    client: Client,
    id: String,
    options: WriteOptions,
    gone: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl SessionKeeper {
    /// Creates a session with a TTL and starts to renew it every half of that.
    pub async fn create(
        client: &Client,
        session: &Session,
        ttl: Duration,
        options: WriteOptions,
    ) -> Result<Self, ClientError> {
        let session = Session { ttl: GoDuration::from(ttl).to_string(), ..session.clone() };
        let id = client.sessions().create(&session, &options).await?;
        let (report, gone) = watch::channel(false);
        let task = tokio::spawn(renew(client.clone(), id.clone(), ttl, options.clone(), report));
        Ok(Self { client: client.clone(), id, options, gone, task })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// True once the agent said that the session does not exist any more, or could not be asked for so long that it must have expired.
    pub fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }

    /// Turns true when the session is gone.
    pub fn gone(&self) -> watch::Receiver<bool> {
        self.gone.clone()
    }

    /// Ends the session, and with it what it holds.
    pub async fn close(self) -> Result<(), ClientError> {
        self.task.abort();
        self.client.sessions().destroy(&self.id, &self.options).await
    }
}

impl Drop for SessionKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn renew(
    client: Client,
    id: String,
    ttl: Duration,
    options: WriteOptions,
    report: watch::Sender<bool>,
) {
    let mut last_renewal = tokio::time::Instant::now();
    let mut pause = ttl / 2;
    loop {
        tokio::time::sleep(pause).await;
        let started = tokio::time::Instant::now();
        // An agent that accepts connections but does not answer is as bad as none.
        let renewal = tokio::time::timeout(ttl, client.sessions().renew(&id, &options)).await;
        match renewal {
            Ok(Ok(Some(_))) => {
                last_renewal = started;
                pause = ttl / 2;
            }
            Ok(Ok(None)) => break,
            failed => {
                match failed {
                    Ok(Err(error)) => warn!(%error, "session could not be renewed"),
                    _ => warn!("session was not renewed in time"),
                }
                // Servers grant twice the TTL; after that the session cannot be there any more.
                if last_renewal.elapsed() > ttl * 2 {
                    break;
                }
                pause = Duration::from_secs(1).min(ttl / 2);
            }
        }
    }
    report.send_replace(true);
}
