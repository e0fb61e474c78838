//! Servers of one process, joined without a network: for tests and simulations.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::handle::RaftHandle;
use crate::machine::StateMachine;
use crate::transport::{Method, Transport, TransportError};
use crate::types::Peer;

type Serve = Arc<dyn Fn(Method, Bytes) -> BoxFuture<'static, Result<Bytes, String>> + Send + Sync>;

/// Carries requests between servers by address. Addresses can be cut off and joined again.
#[derive(Clone, Default)]
pub struct Hub {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    servers: HashMap<String, Serve>,
    cut: HashSet<String>,
}

impl Hub {
    /// Requests to `address` go to this server from now on.
    pub fn join<S: StateMachine>(&self, address: &str, server: &RaftHandle<S>) {
        let server = server.clone();
        let serve: Serve = Arc::new(move |method, body| {
            let server = server.clone();
            Box::pin(async move { server.serve(method, &body).await.map_err(|error| error.to_string()) })
        });
        self.inner.lock().servers.insert(address.to_owned(), serve);
    }

    /// Nothing listens at `address` any more.
    pub fn leave(&self, address: &str) {
        self.inner.lock().servers.remove(address);
    }

    /// Loses everything from and to `address`.
    pub fn cut(&self, address: &str) {
        self.inner.lock().cut.insert(address.to_owned());
    }

    /// Ends a cut.
    pub fn heal(&self, address: &str) {
        self.inner.lock().cut.remove(address);
    }

    /// The transport of the server at `address`.
    pub fn transport(&self, address: &str) -> Arc<dyn Transport> {
        Arc::new(Port { hub: self.clone(), address: address.to_owned() })
    }

    fn route(&self, from: &str, to: &str) -> Result<Serve, String> {
        let inner = self.inner.lock();
        if inner.cut.contains(from) || inner.cut.contains(to) {
            return Err("cut off".to_owned());
        }
        inner.servers.get(to).cloned().ok_or_else(|| "nobody listens".to_owned())
    }
}

struct Port {
    hub: Hub,
    address: String,
}

impl Transport for Port {
    fn call<'a>(
        &'a self,
        peer: &'a Peer,
        method: Method,
        body: Bytes,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Bytes, TransportError>> {
        let failed = |reason| TransportError::Failed { address: peer.address.clone(), reason };
        Box::pin(async move {
            let serve = self
                .hub
                .route(&self.address, &peer.address)
                .map_err(|reason| TransportError::Unreachable { address: peer.address.clone(), reason })?;
            let answer = tokio::time::timeout(timeout, serve(method, body))
                .await
                .map_err(|_| failed("no answer in time".to_owned()))?
                .map_err(failed)?;
            // A cut that happened meanwhile loses the answer.
            self.hub.route(&self.address, &peer.address).map_err(failed)?;
            Ok(answer)
        })
    }
}
