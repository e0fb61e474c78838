//! The sockets: UDP and TCP on each address, bounded, stopped by one signal.

mod endpoint;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use self::endpoint::Endpoint;
use crate::LOG;
use crate::backend::Backend;
use crate::reply::Transport;
use crate::resolver::Resolver;

/// What the server allows its clients, all of them together unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// UDP questions that wait for another server. More are dropped: their clients ask again.
    pub waiting_max: usize,
    /// TCP connections. The accept queue holds the others back.
    pub connections_max: usize,
    /// Questions of one TCP connection in the works at once.
    pub pipeline_max: usize,
    /// How long a TCP connection may be silent, and how long a reply may take to be written.
    pub idle_timeout: Duration,
    /// How long stopping waits for questions in the works.
    pub drain_timeout: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            waiting_max: 4096,
            connections_max: 1024,
            pipeline_max: 16,
            idle_timeout: Duration::from_secs(8),
            drain_timeout: Duration::from_secs(2),
        }
    }
}

/// Sockets that are open but not yet served.
pub struct Listeners {
    pairs: Vec<(Arc<Endpoint>, TcpListener)>,
}

impl Listeners {
    /// Opens UDP and TCP on every address. Port 0 takes a free port, the same for both.
    ///
    /// # Errors
    /// The socket and the reason of the first that cannot be opened; none is then left open.
    pub async fn bind(addresses: &[SocketAddr]) -> Result<Self, BindError> {
        let mut pairs = Vec::with_capacity(addresses.len());
        for address in addresses {
            pairs.push(bind_pair(*address).await?);
        }
        Ok(Self { pairs })
    }

    /// The addresses listened on, with real ports.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pairs.iter().filter_map(|(udp, _)| udp.local_addr().ok()).collect()
    }

    /// Serves until [`Server::stop`] is called.
    pub fn serve(self, backend: Arc<dyn Backend>, limits: ServerLimits) -> Server {
        let shared = Shared {
            resolver: Arc::new(Resolver::new(backend)),
            limits,
            stop: CancellationToken::new(),
            abort: CancellationToken::new(),
            tasks: TaskTracker::new(),
            waiting: Arc::new(Semaphore::new(limits.waiting_max)),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
        };
        for (udp, tcp) in self.pairs {
            if let Ok(address) = udp.local_addr() {
                for network in [Transport::Udp, Transport::Tcp] {
                    info!(target: LOG, %address, network = network.as_str(), "Started DNS server");
                }
            }
            shared.tasks.spawn(udp::run(udp, shared.clone()));
            shared.tasks.spawn(tcp::run(tcp, shared.clone()));
        }
        shared.tasks.close();
        Server { shared }
    }
}

/// A socket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("listen {network} {address}: bind: {reason}", network = .transport.as_str())]
pub struct BindError {
    pub transport: Transport,
    pub address: SocketAddr,
    reason: String,
    #[source]
    pub source: io::Error,
}

impl BindError {
    fn new(transport: Transport, address: SocketAddr, source: io::Error) -> Self {
        let reason = match source.kind() {
            io::ErrorKind::AddrInUse => "address already in use".to_owned(),
            io::ErrorKind::AddrNotAvailable => "cannot assign requested address".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => source.to_string(),
        };
        Self { transport, address, reason, source }
    }
}

async fn bind_pair(address: SocketAddr) -> Result<(Arc<Endpoint>, TcpListener), BindError> {
    /// A port free for TCP may be taken for UDP; then another is tried.
    const ATTEMPTS: usize = 16;
    let mut attempt = 1;
    loop {
        let tcp = TcpListener::bind(address).await.map_err(|e| BindError::new(Transport::Tcp, address, e))?;
        let local = tcp.local_addr().map_err(|e| BindError::new(Transport::Tcp, address, e))?;
        match UdpSocket::bind(local).await.and_then(Endpoint::new) {
            Ok(udp) => return Ok((Arc::new(udp), tcp)),
            Err(_) if address.port() == 0 && attempt < ATTEMPTS => attempt += 1,
            Err(e) => return Err(BindError::new(Transport::Udp, local, e)),
        }
    }
}

/// What the tasks of a server have in common.
#[derive(Clone)]
struct Shared {
    resolver: Arc<Resolver>,
    limits: ServerLimits,
    /// Take no more questions.
    stop: CancellationToken,
    /// Give up on those in the works.
    abort: CancellationToken,
    tasks: TaskTracker,
    waiting: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

/// A running server. Dropping it stops it without waiting.
pub struct Server {
    shared: Shared,
}

impl Server {
    /// Stops listening, lets questions in the works finish for a while, and returns when all is over.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        let drained = tokio::time::timeout(self.shared.limits.drain_timeout, self.shared.tasks.wait()).await;
        if drained.is_err() {
            debug!(target: LOG, open = self.shared.tasks.len(), "questions in the works are given up");
            self.shared.abort.cancel();
            self.shared.tasks.wait().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.shared.abort.cancel();
    }
}
