//! The answering side: takes connections, finds out what they are, and hands calls to a [`Handler`].
//!
//! Knows no method. Everything a peer can make us hold has a limit: connections, streams, calls, bytes.

mod admission;
mod calls;
mod connection;
mod handler;
mod limits;
mod log_gate;
mod snapshot;
mod tls;

pub use handler::{CallError, Channel, Handler, Peer, SnapshotReply};
pub use limits::{Limits, PlainText};
pub use tls::{TlsAcceptor, TlsEntry, TlsIdentity, TlsSession};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::counters::Counters;
use crate::mux::Budget;
use admission::Admission;
use log_gate::LogGate;

/// How long calls may go on after the server was told to stop.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// Pause between looks whether they have ended.
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// Pause after a connection could not be accepted: mostly, file descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers calls on any number of listeners.
pub struct Server {
    handler: Arc<dyn Handler>,
    limits: Limits,
    tls: Option<Arc<dyn TlsAcceptor>>,
    admission: Admission,
    budget: Arc<Budget>,
    counters: Arc<Counters>,
    refusals: LogGate,
    tasks: TaskTracker,
}

impl Server {
    /// Without TLS: connections that want it are closed.
    pub fn new(handler: Arc<dyn Handler>, limits: Limits) -> Self {
        Self {
            handler,
            admission: Admission::new(&limits),
            budget: Budget::new(limits.buffered_max),
            limits,
            tls: None,
            counters: Arc::default(),
            refusals: LogGate::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// With TLS for connections that want it.
    pub fn with_tls(mut self, acceptor: Arc<dyn TlsAcceptor>) -> Self {
        self.tls = Some(acceptor);
        self
    }

    /// What has passed so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Calls being worked on.
    pub fn calls_in_flight(&self) -> usize {
        self.admission.calls_in_flight()
    }

    /// Accepts connections until `stop`; then lets calls end for a few seconds and closes what is left.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        // Blocked calls do not end by themselves: this ends them once the drain is over.
        let kill = CancellationToken::new();
        let _kill_on_drop = kill.clone().drop_guard();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((socket, address)) => self.spawn(socket, address, stop.clone(), kill.clone()),
                Err(error) => {
                    if let Some(missed) = self.refusals.pass() {
                        warn!(%error, missed, "could not accept a connection for calls");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        let idle = async {
            while self.admission.is_busy() {
                tokio::time::sleep(DRAIN_STEP).await;
            }
        };
        // Whether it became idle or not, what is left now is closed.
        let _ = tokio::time::timeout(DRAIN_MAX, idle).await;
        // The last answers are in buffers that the connections' tasks send when they run next.
        tokio::time::sleep(DRAIN_STEP).await;
        kill.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn spawn(
        self: &Arc<Self>,
        socket: TcpStream,
        address: SocketAddr,
        stop: CancellationToken,
        kill: CancellationToken,
    ) {
        let Some(permit) = self.admission.connection(address.ip()) else {
            Counters::one(&self.counters.connections_refused);
            if let Some(missed) = self.refusals.pass() {
                warn!(%address, missed, "connection refused: too many connections, see rpc_max_conns_per_client");
            }
            return;
        };
        let server = Arc::clone(self);
        self.tasks.spawn(async move {
            let _permit = permit;
            kill.run_until_cancelled(server.serve_connection(socket, address, stop)).await;
        });
    }
}
