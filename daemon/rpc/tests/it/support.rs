//! A server whose methods tests can watch.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use consul_rpc::client::{Pool, PoolConfig, Target};
use consul_rpc::codec::{unwrap_raw, wrap_raw};
use consul_rpc::server::{CallError, Handler, Limits, Peer, Server, SnapshotReply};
use consul_rpc::snapshot::{SnapshotOp, SnapshotRequest, SnapshotResponse};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing here takes so long unless it is broken.
const WITHIN: Duration = Duration::from_secs(20);

/// Echoes, blocks, fails.
#[derive(Default)]
pub struct Methods {
    /// Calls that block now.
    pub blocked: Arc<AtomicUsize>,
    /// Method and body of every call.
    pub seen: Mutex<Vec<(String, Bytes)>>,
    /// What was last restored.
    pub restored: Mutex<Vec<u8>>,
}

struct Blocked(Arc<AtomicUsize>);

impl Drop for Blocked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Handler for Methods {
    async fn call(&self, _: &Peer, method: &str, body: Bytes) -> Result<Bytes, CallError> {
        if self.seen.lock().len() < 100 {
            self.seen.lock().push((method.to_owned(), body.clone()));
        }
        match method {
            "Test.Echo" | "Status.Ping" | "AutoEncrypt.Sign" => Ok(body),
            "Test.Block" => {
                drop(body);
                self.blocked.fetch_add(1, Ordering::SeqCst);
                let _blocked = Blocked(Arc::clone(&self.blocked));
                std::future::pending().await
            }
            "Test.Big" => {
                let bytes = unwrap_raw(&body).map_err(|error| CallError::Malformed(error.to_string()))?;
                let len: usize = String::from_utf8_lossy(&bytes).parse().unwrap_or(0);
                Ok(wrap_raw(&vec![b'x'; len]))
            }
            "Test.Fail" => Err(CallError::Failed("Permission denied".to_owned())),
            "Test.Malformed" => Err(CallError::Malformed("wrong body".to_owned())),
            _ if method.starts_with("Test.") => Err(CallError::UnknownMethod),
            _ => Err(CallError::UnknownService),
        }
    }

    async fn snapshot(
        &self,
        _: &Peer,
        request: SnapshotRequest,
        archive: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<SnapshotReply, CallError> {
        let response = SnapshotResponse { index: 7, known_leader: true, ..SnapshotResponse::default() };
        match SnapshotOp::from_number(request.op) {
            Some(SnapshotOp::Save) => {
                let archive = std::io::Cursor::new(self.restored.lock().clone());
                Ok(SnapshotReply { response, archive: Some(Box::new(archive)) })
            }
            Some(SnapshotOp::Restore) => {
                let mut bytes = Vec::new();
                let read = archive.read_to_end(&mut bytes).await;
                read.map_err(|error| CallError::Failed(error.to_string()))?;
                *self.restored.lock() = bytes;
                Ok(SnapshotReply { response, archive: None })
            }
            None => Err(CallError::Failed(format!("unrecognized snapshot op: {}", request.op))),
        }
    }
}

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    pub methods: Arc<Methods>,
    pub server: Arc<Server>,
    pub stop: CancellationToken,
    pub task: tokio::task::JoinHandle<()>,
    _stop: DropGuard,
}

pub async fn start(limits: Limits) -> Running {
    start_with(limits, |server| server).await
}

pub async fn start_with(limits: Limits, change: impl FnOnce(Server) -> Server) -> Running {
    let methods = Arc::new(Methods::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Arc::new(change(Server::new(methods.clone(), limits)));
    let stop = CancellationToken::new();
    let task = tokio::spawn(server.clone().serve(listener, stop.clone()));
    let _stop = stop.clone().drop_guard();
    Running { address, methods, server, stop, task, _stop }
}

impl Running {
    pub fn target(&self) -> Target {
        Target::plain("server", self.address, "dc1")
    }
}

pub fn pool() -> Pool {
    Pool::new(PoolConfig::default(), None)
}

pub fn soon() -> Option<Instant> {
    Some(Instant::now() + WITHIN)
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + WITHIN;
    while !holds() {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What must not take long.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(WITHIN, future).await {
        Ok(output) => output,
        Err(_) => panic!("took too long: {what}"),
    }
}

/// Bytes written as hexadecimal digits.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}
