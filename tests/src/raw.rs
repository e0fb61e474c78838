//! Bytes on a socket, for requests that no HTTP library would send.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(30);

pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(loopback(port)).await.unwrap_or_else(|error| panic!("port {port}: {error}"))
}

/// A request under way that says it is the last on its connection; [`answer`] reads what comes.
pub async fn get(port: u16, path: &str) -> TcpStream {
    let mut stream = connect(port).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap_or_else(|error| panic!("GET {path}: {error}"));
    stream
}

/// Status and body of the answer to the last request of a connection.
pub async fn answer(mut stream: TcpStream) -> (u16, String) {
    let (answer, _) = read_to_end(&mut stream, LIMIT).await;
    split(&answer)
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Closed,
    Reset,
    /// Still open after the limit.
    Open,
}

/// Sends bytes, closes our half, and reads until the other side ends.
pub async fn exchange(port: u16, bytes: &[u8]) -> (Vec<u8>, End) {
    let mut stream = connect(port).await;
    // The other side may hang up before it has read everything.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    read_to_end(&mut stream, LIMIT).await
}

/// Reads until the other side ends the connection.
pub async fn read_to_end(stream: &mut TcpStream, limit: Duration) -> (Vec<u8>, End) {
    let mut answer = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        match tokio::time::timeout(limit, stream.read(&mut chunk)).await {
            Err(_) => return (answer, End::Open),
            Ok(Err(_)) => return (answer, End::Reset),
            Ok(Ok(0)) => return (answer, End::Closed),
            Ok(Ok(count)) => answer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// Sends a request that says it is the last on its connection; returns status and body.
pub async fn request(port: u16, bytes: &[u8]) -> (u16, String) {
    let mut stream = connect(port).await;
    // An early refusal may cut the sending short; the answer tells.
    let _ = stream.write_all(bytes).await;
    answer(stream).await
}

/// Status and body of an answer; status 0 if it is none.
pub fn split(answer: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(answer);
    let status = text.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    (status, body)
}
