//! Our pool with our server.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use consul_rpc::client::{RpcCallError, Sent, SnapshotError, Target};
use consul_rpc::codec::{unwrap_raw, wrap_raw};
use consul_rpc::server::Limits;
use consul_rpc::snapshot::{SnapshotOp, SnapshotRequest};
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::support::{pool, soon, start, until, within};

#[tokio::test]
async fn bodies_of_all_sizes_come_back_whole() {
    let (server, pool) = (start(Limits::default()).await, pool());
    for len in [0, 1, 31, 32, 5000, 70_000, 262_144, 600_000, 4_000_000] {
        let body = wrap_raw(&vec![7; len]);
        let answer = pool.call(&server.target(), "Test.Echo", body.clone(), soon()).await.unwrap();
        assert_eq!(answer, body);
    }
    let size = wrap_raw(b"20000000");
    let big = pool.call(&server.target(), "Test.Big", size, soon()).await.unwrap();
    assert_eq!(unwrap_raw(&big).unwrap().len(), 20_000_000);
    assert_eq!(pool.counters().values().streams_opened, 1, "a stream is used again");
    assert_eq!(server.server.counters().values().connections_accepted, 1);
}

#[tokio::test]
async fn raw_calls_carry_bytes_of_any_kind() {
    let (server, pool) = (start(Limits::default()).await, pool());
    for body in [Bytes::new(), Bytes::from_static(b"\xc0\xc1\xff"), Bytes::from(vec![0; 300_000])] {
        let answer = pool.call_raw(&server.target(), "Test.Echo", body.clone(), soon()).await.unwrap();
        assert_eq!(answer, body);
    }
}

#[tokio::test]
async fn a_nil_body_reaches_the_method_as_an_empty_struct() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let answer = pool.call(&server.target(), "Test.Echo", Bytes::from_static(&[0xc0]), soon()).await;
    assert_eq!(answer.unwrap()[..], [0x80]);
}

#[tokio::test]
async fn errors_have_the_texts_that_callers_match() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let cases = [
        ("Test.Fail", "Permission denied"),
        ("Test.Malformed", "wrong body"),
        ("Test.Nothing", "rpc: can't find method Test.Nothing"),
        ("No.Such", "rpc: can't find service No.Such"),
        ("nodot", "rpc: service/method request ill-formed: nodot"),
    ];
    for (method, expected) in cases {
        let body = Bytes::from_static(&[0x80]);
        match pool.call(&server.target(), method, body, soon()).await {
            Err(RpcCallError::Remote(text)) => assert_eq!(text, expected),
            other => panic!("{method}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_blocked_call_delays_no_other() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let target = server.target();
    let (other, to) = (pool.clone(), target.clone());
    let blocked =
        tokio::spawn(async move { other.call(&to, "Test.Block", Bytes::from_static(&[0x80]), None).await });
    until("it blocks", || server.server.calls_in_flight() == 1).await;
    let calls = (0..500u32).map(|number| {
        let (pool, target) = (pool.clone(), target.clone());
        tokio::spawn(async move {
            let body = wrap_raw(&number.to_be_bytes());
            assert_eq!(pool.call(&target, "Test.Echo", body.clone(), soon()).await.unwrap(), body);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert!(!blocked.is_finished());
    blocked.abort();
    assert_eq!(server.server.counters().values().connections_accepted, 1);
}

#[tokio::test]
async fn dropping_a_call_frees_it_on_the_server() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let blocked = server.methods.blocked.clone();
    let calls: Vec<_> = (0..300)
        .map(|_| {
            let (pool, target) = (pool.clone(), server.target());
            tokio::spawn(async move {
                pool.call(&target, "Test.Block", Bytes::from_static(&[0x80]), None).await.map(drop)
            })
        })
        .collect();
    until("all calls block", || blocked.load(Ordering::SeqCst) == 300).await;
    assert_eq!(server.server.calls_in_flight(), 300);
    calls.iter().take(299).for_each(|call| call.abort());
    until("the dropped ones are gone", || blocked.load(Ordering::SeqCst) == 1).await;
    until("and counted so", || server.server.calls_in_flight() == 1).await;
    drop(calls);
    drop(pool);
}

#[tokio::test]
async fn closing_the_connection_frees_its_calls_and_fails_them() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let blocked = server.methods.blocked.clone();
    let (other, target) = (pool.clone(), server.target());
    let call =
        tokio::spawn(
            async move { other.call(&target, "Test.Block", Bytes::from_static(&[0x80]), None).await },
        );
    until("the call blocks", || blocked.load(Ordering::SeqCst) == 1).await;
    pool.forget(&server.target());
    until("it is gone", || blocked.load(Ordering::SeqCst) == 0).await;
    let error = within("the caller learns it", call).await.unwrap().unwrap_err();
    assert!(matches!(error, RpcCallError::Transport { sent: Sent::Maybe, .. }), "{error:?}");
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_frees_it() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let deadline = Some(Instant::now() + Duration::from_millis(50));
    let body = Bytes::from_static(&[0x80]);
    let error = pool.call(&server.target(), "Test.Block", body, deadline).await.unwrap_err();
    assert!(matches!(error, RpcCallError::Timeout { sent: Sent::Maybe }), "{error:?}");
    until("it is gone", || server.server.calls_in_flight() == 0).await;
    assert_eq!(server.methods.blocked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_dial_error() {
    let pool = pool();
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::plain("gone", unused.local_addr().unwrap(), "dc1");
    drop(unused);
    let error = pool.call(&target, "Status.Ping", Bytes::from_static(&[0x80]), soon()).await.unwrap_err();
    assert!(matches!(error, RpcCallError::Dial(_)), "{error:?}");
    assert_eq!(error.sent(), Sent::No);
}

#[tokio::test]
async fn the_pool_connects_again_after_the_server_came_back() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let (target, body) = (server.target(), Bytes::from_static(&[0x80]));
    pool.call(&target, "Status.Ping", body.clone(), soon()).await.unwrap();
    server.stop.cancel();
    within("an idle server stops at once", server.task).await.unwrap();

    let listener = tokio::net::TcpListener::bind(target.address).await.unwrap();
    let again =
        std::sync::Arc::new(consul_rpc::server::Server::new(server.methods.clone(), Limits::default()));
    let task = tokio::spawn(again.serve(listener, tokio_util::sync::CancellationToken::new()));
    pool.call(&target, "Status.Ping", body, soon()).await.unwrap();
    assert_eq!(pool.counters().values().connections_dialed, 2);
    task.abort();
}

#[tokio::test]
async fn snapshots_go_both_ways() {
    let (server, pool) = (start(Limits::default()).await, pool());
    let archive: Vec<u8> = (0..3_000_000u32).map(|number| number as u8).collect();
    let mut request = SnapshotRequest { op: SnapshotOp::Restore.number(), ..SnapshotRequest::default() };
    let mut source = std::io::Cursor::new(archive.clone());
    let deadline = soon().unwrap();
    let restored = pool.restore_snapshot(&server.target(), &request, &mut source, deadline).await.unwrap();
    assert_eq!(restored.response.index, 7);

    request.op = SnapshotOp::Save.number();
    let mut saved = pool.save_snapshot(&server.target(), &request, deadline).await.unwrap();
    assert!(saved.response.known_leader);
    let mut bytes = Vec::new();
    within("the archive ends", saved.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes == archive);

    request.op = 9;
    match pool.save_snapshot(&server.target(), &request, deadline).await {
        Err(SnapshotError::Remote(text)) => assert_eq!(text, "unrecognized snapshot op: 9"),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("no such operation"),
    };
}
