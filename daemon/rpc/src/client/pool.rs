//! Connections to servers, made when needed and kept while used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

use super::call::{BodyForm, SentFlag, call_single};
use super::connection::Connection;
use super::dial::{TlsConnector, dial};
use super::error::{DialError, RpcCallError, Sent};
use super::target::{Encryption, Target};
use crate::codec::Sizes;
use crate::counters::Counters;
use crate::first_byte;
use crate::mux::Budget;

/// How connections are made and kept.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// From the first packet to the end of the TLS handshake.
    pub dial_max: Duration,
    /// A connection without calls is closed after this time.
    pub idle_max: Duration,
    /// Streams of a connection that are kept for further calls.
    pub idle_streams_max: usize,
    /// Pause between pings.
    pub keepalive: Duration,
    /// How long a server may take none of what is sent to it, or leave a ping unanswered.
    pub stall_max: Duration,
    /// Bytes of the parts of a response.
    pub response: Sizes,
    /// Bytes that have arrived and that no call has read yet, on all connections.
    pub buffered_max: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            dial_max: Duration::from_secs(10),
            idle_max: Duration::from_secs(120),
            idle_streams_max: 64,
            keepalive: Duration::from_secs(30),
            stall_max: Duration::from_secs(10),
            response: Sizes { header_max: 64 * 1024, body_max: 64 * 1024 * 1024 },
            buffered_max: 256 * 1024 * 1024,
        }
    }
}

/// Connections to any number of servers. Calls that must not wait behind others (heartbeats behind large replies)
/// belong in a pool of their own. Cheap to clone; when the last clone goes, the connections are closed.
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    config: PoolConfig,
    tls: Option<Arc<dyn TlsConnector>>,
    servers: Mutex<HashMap<Target, Entry>>,
    budget: Arc<Budget>,
    counters: Arc<Counters>,
}

type Dialing = Shared<BoxFuture<'static, Result<Arc<Connection>, DialError>>>;

enum Entry {
    Ready(Arc<Connection>),
    /// All who call now wait for the same attempt.
    Dialing(Dialing),
}

impl Pool {
    /// Without a connector, only servers that want no encryption can be called.
    pub fn new(config: PoolConfig, tls: Option<Arc<dyn TlsConnector>>) -> Self {
        let budget = Budget::new(config.buffered_max);
        let (servers, counters) = (Mutex::default(), Arc::default());
        Self { inner: Arc::new(Inner { config, tls, servers, budget, counters }) }
    }

    /// What has passed so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.inner.counters
    }

    /// Calls `method` with one encoded value and returns one encoded value. Dropped before that, the server is told
    /// that nobody waits. Without a deadline it lasts as long as the connection.
    pub async fn call(
        &self,
        target: &Target,
        method: &str,
        body: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Bytes, RpcCallError> {
        self.call_in_form(target, method, body, BodyForm::Value, deadline).await
    }

    /// [`Pool::call`] with bytes that are no encoded value, to a method that expects just bytes and answers with
    /// some.
    pub async fn call_raw(
        &self,
        target: &Target,
        method: &str,
        body: Bytes,
        deadline: Option<Instant>,
    ) -> Result<Bytes, RpcCallError> {
        let reply = self.call_in_form(target, method, body, BodyForm::Raw, deadline).await?;
        crate::codec::unwrap_raw(&reply).map_err(|error| RpcCallError::transport(Sent::Maybe, &error))
    }

    async fn call_in_form(
        &self,
        target: &Target,
        method: &str,
        body: Bytes,
        form: BodyForm,
        deadline: Option<Instant>,
    ) -> Result<Bytes, RpcCallError> {
        let counters = &self.inner.counters;
        Counters::one(&counters.calls);
        let sent = SentFlag::default();
        let call = async {
            let sizes = self.inner.config.response;
            if target.encryption == Encryption::Insecure {
                let stream = self.inner.dial(target, first_byte::SINGLE).await?;
                return call_single(stream, method, &body, sizes, &sent).await;
            }
            let connection = self.connection(target).await?;
            let result = connection.call(method, &body, form, sizes, &sent).await;
            match &result {
                // It ended while it was idle: the first call after that is the one that notices.
                Err(RpcCallError::Transport { sent: Sent::No, .. }) if !connection.is_open() => {
                    let connection = self.connection(target).await?;
                    connection.call(method, &body, form, sizes, &sent).await
                }
                _ => result,
            }
        };
        let result = match deadline {
            None => call.await,
            Some(deadline) => match timeout_at(deadline, call).await {
                Ok(result) => result,
                Err(_) => Err(RpcCallError::Timeout { sent: sent.get() }),
            },
        };
        if result.is_err() {
            Counters::one(&counters.calls_failed);
        }
        result
    }

    /// Closes the connection to a server that is known to be gone. Calls on it fail.
    pub fn forget(&self, target: &Target) {
        let entry = self.inner.servers.lock().remove(target);
        if let Some(Entry::Ready(connection)) = entry {
            connection.close();
        }
    }

    /// Makes sure that there is a multiplexed connection, so that the next call need not wait for one.
    pub async fn connect(&self, target: &Target) -> Result<(), DialError> {
        self.connection(target).await.map(drop)
    }

    /// A connection of its own, for what is not a call.
    pub(super) async fn dial(&self, target: &Target, purpose: u8) -> Result<Box<dyn crate::Io>, DialError> {
        self.inner.dial(target, purpose).await
    }

    async fn connection(&self, target: &Target) -> Result<Arc<Connection>, DialError> {
        let dialing = {
            let mut servers = self.inner.servers.lock();
            match servers.get(target) {
                Some(Entry::Ready(connection)) if connection.is_open() => return Ok(Arc::clone(connection)),
                Some(Entry::Dialing(dialing)) => dialing.clone(),
                _ => {
                    let dialing = self.start_dialing(target.clone());
                    servers.insert(target.clone(), Entry::Dialing(dialing.clone()));
                    dialing
                }
            }
        };
        dialing.await
    }

    /// Dials in a task of its own: whoever asked first may lose interest, others wait for it too.
    fn start_dialing(&self, target: Target) -> Dialing {
        let inner = Arc::downgrade(&self.inner);
        let task = tokio::spawn(async move {
            let inner = inner.upgrade().ok_or(DialError::ShutDown)?;
            let dialed = inner.dial(&target, first_byte::MULTIPLEXED).await;
            let mut servers = inner.servers.lock();
            let dialed = dialed.map(|stream| {
                let (budget, counters) = (Arc::clone(&inner.budget), Arc::clone(&inner.counters));
                Connection::start(stream, target.clone(), &inner.config, budget, counters)
            });
            match &dialed {
                Ok(connection) => servers.insert(target, Entry::Ready(Arc::clone(connection))),
                Err(_) => servers.remove(&target),
            };
            dialed
        });
        async move { task.await.unwrap_or(Err(DialError::ShutDown)) }.boxed().shared()
    }
}

impl Inner {
    async fn dial(&self, target: &Target, purpose: u8) -> Result<Box<dyn crate::Io>, DialError> {
        let dialed = dial(target, Some(purpose), self.tls.as_ref(), self.config.dial_max).await;
        let count =
            if dialed.is_ok() { &self.counters.connections_dialed } else { &self.counters.dials_failed };
        Counters::one(count);
        dialed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for (_, entry) in self.servers.get_mut().drain() {
            if let Entry::Ready(connection) = entry {
                connection.close();
            }
        }
    }
}
