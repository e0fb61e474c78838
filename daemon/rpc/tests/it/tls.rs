//! Which door a connection comes through when it is encrypted. The handshake is not ours: here it is one word.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use consul_rpc::Io;
use consul_rpc::client::{Encryption, Pool, PoolConfig, RpcCallError, Target, TlsConnector};
use consul_rpc::codec::wrap_raw;
use consul_rpc::server::{Limits, PlainText, TlsAcceptor, TlsEntry, TlsSession};
use consul_rpc::snapshot::SnapshotRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Running, soon, start_with, within};

/// Lets in who says how it came; a native handshake names the protocol after its first byte.
struct Word;

#[async_trait]
impl TlsAcceptor for Word {
    async fn accept(&self, mut stream: Box<dyn Io>, entry: TlsEntry) -> io::Result<TlsSession> {
        let mut word = [0; 20];
        stream.read_exact(&mut word).await?;
        let text = String::from_utf8_lossy(&word).trim_end().to_owned();
        let alpn = match (entry, text.as_str()) {
            (TlsEntry::Mutual, "mutual") | (TlsEntry::Insecure, "insecure") => None,
            (TlsEntry::Native, text) => Some(text.trim_start_matches('\x16').as_bytes().to_vec()),
            _ => return Err(io::Error::other("wrong word")),
        };
        Ok(TlsSession { stream, alpn: alpn.filter(|alpn| !alpn.is_empty()), identity: None })
    }
}

struct Say;

#[async_trait]
impl TlsConnector for Say {
    async fn connect(&self, mut stream: Box<dyn Io>, target: &Target) -> io::Result<Box<dyn Io>> {
        let word = if target.encryption == Encryption::Tls { "mutual" } else { "insecure" };
        stream.write_all(format!("{word:20}").as_bytes()).await?;
        Ok(stream)
    }
}

async fn start() -> Running {
    let limits = Limits { plain_text: PlainText::Refused, ..Limits::default() };
    start_with(limits, |server| server.with_tls(Arc::new(Word))).await
}

fn target(server: &Running, encryption: Encryption) -> Target {
    Target { encryption, ..server.target() }
}

#[tokio::test]
async fn calls_and_snapshots_go_through_tls_where_plain_text_is_refused() {
    let server = start().await;
    let pool = Pool::new(PoolConfig::default(), Some(Arc::new(Say)));
    let tls = target(&server, Encryption::Tls);
    let body = wrap_raw(&[1; 600_000]);
    assert_eq!(pool.call(&tls, "Test.Echo", body.clone(), soon()).await.unwrap(), body);
    let saved = pool.save_snapshot(&tls, &SnapshotRequest::default(), soon().unwrap()).await.unwrap();
    assert_eq!(saved.response.index, 7);

    let plain = pool.call(&server.target(), "Test.Echo", body, soon()).await;
    assert!(matches!(plain, Err(RpcCallError::Transport { .. })), "{plain:?}");
}

#[tokio::test]
async fn without_a_connector_tls_is_a_dial_error() {
    let server = start().await;
    let pool = Pool::new(PoolConfig::default(), None);
    let tls = target(&server, Encryption::Tls);
    let error = pool.call(&tls, "Test.Echo", Bytes::from_static(&[0x80]), soon()).await.unwrap_err();
    assert!(matches!(error, RpcCallError::Dial(_)), "{error:?}");
}

/// Sends a ping in single form after the given beginning, and returns what comes back until the end.
async fn after(server: &Running, beginning: &[u8], method: &str) -> String {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = beginning.to_vec();
    bytes.extend(consul_rpc::codec::request_head(method, 1, 0));
    bytes.push(0x80);
    socket.write_all(&bytes).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = within("the server ends it", socket.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn word(first: &[u8], word: &str, inner: &[u8]) -> Vec<u8> {
    [first, format!("{word:20}").as_bytes(), inner].concat()
}

#[tokio::test]
async fn an_insecure_peer_may_only_ask_for_credentials() {
    let server = start().await;
    let sign = after(&server, &word(&[7], "insecure", &[]), "AutoEncrypt.Sign").await;
    assert!(sign.contains("AutoEncrypt.Sign") && !sign.contains("can't find"), "{sign}");
    let echo = after(&server, &word(&[7], "insecure", &[]), "Test.Echo").await;
    assert!(echo.contains("rpc: can't find service Test.Echo"), "{echo}");
    let mutual = after(&server, &word(&[3], "mutual", &[0]), "Test.Echo").await;
    assert!(mutual.contains("Test.Echo") && !mutual.contains("can't find"), "{mutual}");
}

#[tokio::test]
async fn the_pool_asks_for_credentials_on_a_connection_of_its_own() {
    let server = start().await;
    let pool = Pool::new(PoolConfig::default(), Some(Arc::new(Say)));
    let insecure = target(&server, Encryption::Insecure);
    for _ in 0..2 {
        let body = wrap_raw(b"request");
        let answer = pool.call(&insecure, "AutoEncrypt.Sign", body.clone(), soon()).await.unwrap();
        assert_eq!(answer, body);
    }
    assert_eq!(pool.counters().values().connections_dialed, 2);
}

#[tokio::test]
async fn tls_within_tls_is_refused() {
    let server = start().await;
    for inner in [3, 7, 1, 8] {
        assert_eq!(after(&server, &word(&[3], "mutual", &[inner]), "Test.Echo").await, "");
    }
}

#[tokio::test]
async fn native_tls_serves_the_protocol_that_was_negotiated() {
    let server = start().await;
    let native = |alpn: &str| format!("{:20}", format!("\x16{alpn}")).into_bytes();
    let answer = after(&server, &native("consul/rpc-single"), "Test.Echo").await;
    assert!(answer.contains("Test.Echo"), "{answer}");
    for other in ["", "consul/raft", "h2"] {
        assert_eq!(after(&server, &native(other), "Test.Echo").await, "", "{other}");
    }
}
