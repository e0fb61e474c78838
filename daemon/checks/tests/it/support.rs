//! What the tests share: a sink that can be waited on, definitions, certificates, one-line servers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consul_api::types::agent::CheckDefinition;
use consul_api::types::duration::GoDuration;
use consul_api::types::health::Status;
use consul_checks::{
    AliasTarget, AliasView, AliasWatch, AliasWatchError, CheckRuntime, CheckSink, RuntimeOptions,
};
use futures::future::BoxFuture;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Longest time any condition may take; only a failing test waits that long.
pub const LIMIT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub id: String,
    pub status: Status,
    pub output: String,
}

/// Keeps all updates in order.
#[derive(Default)]
pub struct Recorder {
    updates: Mutex<Vec<Update>>,
    changed: Notify,
}

impl CheckSink for Recorder {
    fn update(&self, check_id: &str, status: Status, output: String) {
        self.updates.lock().unwrap().push(Update { id: check_id.to_owned(), status, output });
        self.changed.notify_waiters();
    }
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn all(&self) -> Vec<Update> {
        self.updates.lock().unwrap().clone()
    }

    /// The first update that `wanted` accepts, waiting for it if it has not come yet.
    pub async fn wait_for(&self, wanted: impl Fn(&Update) -> bool) -> Update {
        let found = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(update) = self.all().into_iter().find(&wanted) {
                    return update;
                }
                changed.await;
            }
        };
        within_limit(found).await
    }
}

pub async fn within_limit<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("condition not met in time")
}

/// Polls `condition` until it holds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A watch that never has anything to say.
pub struct NoAlias;

impl AliasWatch for NoAlias {
    fn next<'a>(
        &'a self,
        _: &'a AliasTarget,
        _: Option<u64>,
    ) -> BoxFuture<'a, Result<AliasView, AliasWatchError>> {
        Box::pin(futures::future::pending())
    }
}

pub fn runtime() -> Arc<CheckRuntime> {
    Arc::new(CheckRuntime::new(RuntimeOptions::default(), Arc::new(NoAlias)))
}

/// A definition with a name and the shortest interval.
pub fn periodic(name: &str) -> CheckDefinition {
    CheckDefinition { name: name.into(), interval: GoDuration::from_secs(1), ..Default::default() }
}

pub fn args(list: &[&str]) -> Option<Vec<String>> {
    Some(list.iter().map(|arg| (*arg).to_owned()).collect())
}

/// A self-signed certificate, and a store that trusts it.
pub struct TestCa {
    cert: CertificateDer<'static>,
    key: Vec<u8>,
}

impl TestCa {
    pub fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        Self { cert: cert.der().clone(), key: signing_key.serialize_der() }
    }

    pub fn acceptor(&self, alpn: &[&[u8]]) -> TlsAcceptor {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.cert.clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.cert.clone()).unwrap();
        Arc::new(roots)
    }
}

/// Serves each connection with `handler`; ends with the test's runtime.
pub async fn serve<F, Fut>(handler: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handler(stream));
        }
    });
    address
}

/// Reads a request head, then sends `answer` and closes.
pub async fn serve_bytes(answer: &'static [u8]) -> SocketAddr {
    serve(move |mut stream| async move {
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
    })
    .await
}

/// Accepts and never says a word.
pub async fn serve_silence() -> SocketAddr {
    serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// A loopback port that nothing listens on: nobody serves tcpmux, and no test is given so low a port.
pub fn closed_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}
