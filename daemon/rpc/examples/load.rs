//! Measures calls: `load serve ADDR` in one process, `load calls ADDR CALLERS SECONDS` or `load block ADDR CALLS` in
//! another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use consul_rpc::client::{Pool, PoolConfig, Target};
use consul_rpc::codec::wrap_raw;
use consul_rpc::server::{CallError, Handler, Limits, Peer, Server, SnapshotReply};
use consul_rpc::snapshot::SnapshotRequest;
use tokio::io::AsyncRead;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

struct Echo;

#[async_trait]
impl Handler for Echo {
    async fn call(&self, _: &Peer, method: &str, body: Bytes) -> Result<Bytes, CallError> {
        if method == "Load.Block" {
            std::future::pending::<()>().await;
        }
        Ok(body)
    }

    async fn snapshot(
        &self,
        _: &Peer,
        _: SnapshotRequest,
        _: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<SnapshotReply, CallError> {
        Err(CallError::UnknownMethod)
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(1);
    let address = arguments.get(1).and_then(|text| text.parse().ok());
    match (arguments.first().map(String::as_str), address) {
        (Some("serve"), Some(address)) => serve(address).await,
        (Some("calls"), Some(address)) => calls(address, number(2), number(3)).await,
        (Some("block"), Some(address)) => block(address, number(2)).await,
        _ => eprintln!("usage: load serve|calls|block ADDR [NUMBER [SECONDS]]"),
    }
}

async fn serve(address: SocketAddr) {
    match TcpListener::bind(address).await {
        Err(error) => eprintln!("{address}: {error}"),
        Ok(listener) => {
            Arc::new(Server::new(Arc::new(Echo), Limits::default()))
                .serve(listener, CancellationToken::new())
                .await;
        }
    }
}

async fn calls(address: SocketAddr, callers: u64, seconds: u64) {
    let pool = Pool::new(PoolConfig { idle_streams_max: 512, ..PoolConfig::default() }, None);
    let done = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks = (0..callers).map(|_| {
        let (pool, done) = (pool.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let target = Target::plain("server", address, "dc1");
            let body = wrap_raw(&[b'x'; 200]);
            while Instant::now() < end {
                if let Err(error) = pool.call(&target, "Load.Echo", body.clone(), None).await {
                    return eprintln!("{error}");
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let _ = task.await;
    }
    println!("{callers} callers: {} calls/s", done.load(Ordering::Relaxed) / seconds.max(1));
}

async fn block(address: SocketAddr, calls: u64) {
    let pool = Pool::new(PoolConfig::default(), None);
    for _ in 0..calls {
        let pool = pool.clone();
        tokio::spawn(async move {
            let target = Target::plain("server", address, "dc1");
            pool.call(&target, "Load.Block", wrap_raw(&[b'x'; 200]), None).await.map(drop)
        });
    }
    println!("{calls} calls block until this is stopped");
    std::future::pending::<()>().await;
}
