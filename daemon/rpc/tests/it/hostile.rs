//! Peers that break rules, or just do not go on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use consul_rpc::client::RpcCallError;
use consul_rpc::codec::{Sizes, wrap_raw};
use consul_rpc::server::{Limits, PlainText};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Running, pool, soon, start, unhex, until, within};

/// Sends bytes and reads until the server closes the connection.
async fn closed_after(server: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    // The server may close before it has taken everything.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = within("the server closes", socket.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn first_bytes_that_are_not_served_close_the_connection() {
    let server = start(Limits::default()).await;
    for first in [1, 2, 3, 6, 7, 8, 9, 10, 22, 255] {
        assert_eq!(closed_after(&server, &[first, 0, 0, 0, 0, 0]).await, b"", "first byte {first}");
    }
    until("all are counted", || server.server.counters().values().connections_refused == 10).await;
}

#[tokio::test]
async fn nothing_unencrypted_is_served_where_encryption_is_demanded() {
    let server = start(Limits { plain_text: PlainText::Refused, ..Limits::default() }).await;
    for first in [0, 4, 5] {
        assert_eq!(closed_after(&server, &[first, 0x80]).await, b"");
    }
    assert_eq!(server.server.counters().values().connections_accepted, 0);
}

#[tokio::test]
async fn a_peer_that_never_says_what_it_wants_is_dropped() {
    let server = start(Limits { handshake_max: Duration::from_millis(20), ..Limits::default() }).await;
    assert_eq!(closed_after(&server, &[]).await, b"");
    assert_eq!(closed_after(&server, &[5, 0x84]).await, b"", "nor half a snapshot request");
}

#[tokio::test]
async fn half_a_request_is_not_waited_for_forever() {
    let server = start(Limits { request_max: Duration::from_millis(20), ..Limits::default() }).await;
    assert_eq!(closed_after(&server, &[0, 0x82, 0xa3]).await, b"");
}

#[tokio::test]
async fn one_address_gets_only_so_many_connections() {
    let server = start(Limits { connections_per_address: 3, ..Limits::default() }).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(&[0]).await.unwrap();
        open.push(socket);
    }
    until("three are served", || server.server.counters().values().connections_accepted == 3).await;
    assert_eq!(closed_after(&server, &[0]).await, b"");
    drop(open);
    let pool = pool();
    let answered =
        async { while pool.call(&server.target(), "Status.Ping", wrap_raw(b""), soon()).await.is_err() {} };
    within("places are free again", answered).await;
}

#[tokio::test]
async fn streams_beyond_the_limit_are_reset_and_the_rest_goes_on() {
    let server = start(Limits { streams_per_connection: 2, ..Limits::default() }).await;
    let (pool, target) = (pool(), server.target());
    let block = || {
        let (pool, target) = (pool.clone(), target.clone());
        tokio::spawn(async move { pool.call(&target, "Test.Block", Bytes::from_static(&[0x80]), None).await })
    };
    let calls = [block(), block()];
    until("both block", || server.methods.blocked.load(Ordering::SeqCst) == 2).await;
    let error = pool.call(&target, "Test.Echo", wrap_raw(b"x"), soon()).await.unwrap_err();
    assert!(matches!(error, RpcCallError::Transport { .. }), "{error:?}");
    assert_eq!(server.methods.blocked.load(Ordering::SeqCst), 2);
    calls.iter().for_each(|call| call.abort());
    until("both are gone", || server.server.calls_in_flight() == 0).await;
    pool.call(&target, "Test.Echo", wrap_raw(b"x"), soon()).await.unwrap();
}

#[tokio::test]
async fn streams_are_limited_over_all_connections_too() {
    let server = start(Limits { streams_max: 1, ..Limits::default() }).await;
    let (one, other) = (pool(), pool());
    one.call(&server.target(), "Test.Echo", wrap_raw(b"x"), soon()).await.unwrap();
    let error = other.call(&server.target(), "Test.Echo", wrap_raw(b"x"), soon()).await.unwrap_err();
    assert!(matches!(error, RpcCallError::Transport { .. }), "{error:?}");
    one.call(&server.target(), "Test.Echo", wrap_raw(b"x"), soon()).await.unwrap();
}

#[tokio::test]
async fn calls_beyond_the_limit_get_an_answer_that_says_so() {
    let server = start(Limits { calls_max: 1, ..Limits::default() }).await;
    let (pool, target) = (pool(), server.target());
    let (other, to) = (pool.clone(), target.clone());
    let call =
        tokio::spawn(async move { other.call(&to, "Test.Block", Bytes::from_static(&[0x80]), None).await });
    until("it blocks", || server.methods.blocked.load(Ordering::SeqCst) == 1).await;
    match pool.call(&target, "Test.Echo", wrap_raw(b"x"), soon()).await {
        Err(RpcCallError::Remote(text)) => assert!(text.contains("rate limit exceeded"), "{text}"),
        other => panic!("{other:?}"),
    }
    call.abort();
}

#[tokio::test]
async fn a_request_that_is_too_large_ends_its_stream_only() {
    let request = Sizes { header_max: 100, body_max: 1000 };
    let server = start(Limits { request, ..Limits::default() }).await;
    let (pool, target) = (pool(), server.target());
    let call = pool.call(&target, "Test.Echo", wrap_raw(&[0; 2000]), soon()).await;
    assert!(matches!(call, Err(RpcCallError::Transport { .. })), "{call:?}");
    pool.call(&target, "Test.Echo", wrap_raw(&[0; 900]), soon()).await.unwrap();
    assert_eq!(pool.counters().values().connections_dialed, 1);
}

#[tokio::test]
async fn claimed_lengths_take_no_memory() {
    let server = start(Limits::default()).await;
    // A header of an array with 4 Gi elements, and one of a string of 4 GiB: both are refused before they arrive.
    assert_eq!(closed_after(&server, &unhex("00ddffffffff")).await.len(), 0);
    assert_eq!(closed_after(&server, &unhex("00dbffffffff")).await.len(), 0);
}

#[tokio::test]
async fn breaking_the_multiplexing_protocol_ends_the_connection() {
    let server = start(Limits::default()).await;
    let go_away = unhex("000300000000000000000001");
    let cases = [
        ("another version", "010000000000000000000000"),
        ("an unknown type", "000900000000000000000000"),
        ("a stream with a number of ours", "000100010000000200000000"),
        ("the same stream twice", "000100010000000100000000000100010000000100000000"),
        ("more data than the window", "00000001000000010004000100"),
    ];
    for (what, frames) in cases {
        let answer = closed_after(&server, &unhex(&format!("04{frames}"))).await;
        assert!(answer.ends_with(&go_away), "{what}: {answer:02x?}");
    }
    until("all are counted", || server.server.counters().values().protocol_errors == 5).await;
}

#[tokio::test]
async fn pings_are_answered_and_frames_for_unknown_streams_ignored() {
    let server = start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let frames = "04 000000000000000900000003616263 000200010000000000000007";
    socket.write_all(&unhex(frames)).await.unwrap();
    let mut answer = [0; 12];
    within("an answer", socket.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer[..], unhex("000200020000000000000007"));
    assert_eq!(server.server.counters().values().frames_dropped, 1);
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_dropped() {
    let limits = Limits { stall_max: Duration::from_millis(50), ..Limits::default() };
    let server = start(limits).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&[4]).await.unwrap();
    let ping = unhex("000200010000000000000007");
    let pings = ping.repeat(10_000);
    // Until the buffers between us are full and the server has had enough.
    let sending = async { while socket.write_all(&pings).await.is_ok() {} };
    within("the server closes", sending).await;
}

#[test]
fn garbage_never_brings_a_server_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limits = Limits {
        handshake_max: Duration::from_millis(200),
        request_max: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = runtime.block_on(start(limits));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let first = prop_oneof![Just(0u8), Just(4), Just(5), any::<u8>()];
    let rest = proptest::collection::vec(any::<u8>(), 0..200);
    let run = runner.run(&(first, rest), |(first, rest)| {
        runtime.block_on(async {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            let _ = socket.write_all(&[&[first], &rest[..]].concat()).await;
            let _ = socket.shutdown().await;
            let _ = within("the server closes", socket.read_to_end(&mut Vec::new())).await;
        });
        Ok(())
    });
    run.unwrap();
    let alive = runtime.block_on(pool().call(&server.target(), "Status.Ping", wrap_raw(b""), soon()));
    alive.unwrap();
}
