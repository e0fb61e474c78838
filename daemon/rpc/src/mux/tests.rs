use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use super::frame::{Flags, Header, Kind};
use super::state::{Side, State};
use super::*;

fn config() -> Config {
    Config {
        streams_max: 1000,
        keepalive: Duration::from_secs(30),
        stall_max: Duration::from_secs(10),
        budget: Budget::new(16 * 1024 * 1024),
        counters: Arc::default(),
    }
}

struct Pair {
    client: Mux,
    server: Mux,
    accepted: UnboundedReceiver<Stream>,
    drivers: [JoinHandle<Closed>; 2],
    budgets: [Arc<Budget>; 2],
}

fn pair() -> Pair {
    let (one, other) = tokio::io::duplex(10_000);
    let (client_config, server_config) = (config(), config());
    let budgets = [client_config.budget.clone(), server_config.budget.clone()];
    let (client, client_driver) = super::client(one, client_config);
    let (server, server_driver) = super::server(other, server_config);
    let (accept, accepted) = unbounded_channel();
    let accept = move |stream| drop(accept.send(stream));
    let drivers = [tokio::spawn(client_driver.run(drop)), tokio::spawn(server_driver.run(accept))];
    Pair { client, server, accepted, drivers, budgets }
}

#[tokio::test]
async fn a_stream_carries_bytes_both_ways_and_ends_in_halves() {
    let mut pair = pair();
    let mut here = pair.client.open().await.unwrap();
    here.write_all(b"question").await.unwrap();
    here.shutdown().await.unwrap();
    let mut there = pair.accepted.recv().await.unwrap();
    let mut question = String::new();
    there.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");
    let answering = tokio::spawn(async move { there.write_all(&[5; 1_000_000]).await.map(|()| there) });
    let mut answer = vec![0; 1_000_000];
    here.read_exact(&mut answer).await.unwrap();
    drop(answering.await.unwrap().unwrap());
    assert_eq!(here.read(&mut answer).await.unwrap(), 0, "an orderly end");
}

#[tokio::test]
async fn windows_hold_a_writer_back_until_its_reader_reads() {
    let mut pair = pair();
    let mut here = pair.client.open().await.unwrap();
    let writer = tokio::spawn(async move {
        here.write_all(&vec![1; 3 * WINDOW as usize]).await.unwrap();
        here.shutdown().await.unwrap();
        here
    });
    let mut there = pair.accepted.recv().await.unwrap();
    while pair.budgets[1].used() < WINDOW as usize {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished());
    assert_eq!(pair.budgets[1].used(), WINDOW as usize);
    let mut read = Vec::new();
    there.read_to_end(&mut read).await.unwrap();
    assert_eq!(read.len(), 3 * WINDOW as usize);
    drop((writer.await.unwrap(), there));
    assert_eq!(pair.budgets[1].used(), 0);
    assert_eq!((pair.client.stream_count(), pair.server.stream_count()), (0, 0));
}

#[tokio::test]
async fn a_dropped_stream_is_reset_on_the_other_side() {
    let mut pair = pair();
    let mut here = pair.client.open().await.unwrap();
    here.write_all(b"x").await.unwrap();
    let mut there = pair.accepted.recv().await.unwrap();
    drop(here);
    std::future::poll_fn(|cx| there.poll_gone(cx)).await;
    assert_eq!(there.read_u8().await.unwrap(), b'x', "what was sent before can be read");
    assert_eq!(there.read_u8().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert!(there.write_all(b"y").await.is_err());
}

#[tokio::test]
async fn streams_end_with_their_connection() {
    let mut pair = pair();
    let mut here = pair.client.open().await.unwrap();
    here.write_all(b"x").await.unwrap();
    let mut there = pair.accepted.recv().await.unwrap();
    assert_eq!(there.read_u8().await.unwrap(), b'x');
    pair.server.close();
    assert!(there.read_u8().await.is_err());
    assert!(here.read_u8().await.is_err());
    let [client, server] = pair.drivers;
    assert!(matches!(client.await.unwrap(), Closed::ByPeer));
    assert!(matches!(server.await.unwrap(), Closed::ByUs));
    assert!(pair.client.open().await.is_err());
}

#[tokio::test]
async fn a_drained_connection_keeps_its_streams_and_opens_no_more() {
    let mut pair = pair();
    let mut here = pair.client.open().await.unwrap();
    here.write_all(b"x").await.unwrap();
    let mut there = pair.accepted.recv().await.unwrap();
    pair.server.drain();
    while pair.client.is_open() {
        tokio::task::yield_now().await;
    }
    assert!(pair.client.open().await.is_err());
    there.write_all(b"y").await.unwrap();
    assert_eq!(here.read_u8().await.unwrap(), b'y');
}

#[tokio::test]
async fn opening_waits_while_the_peer_accepts_nothing() {
    let (one, mut silent): (DuplexStream, DuplexStream) = tokio::io::duplex(100_000);
    let (mux, driver) = super::client(one, config());
    tokio::spawn(driver.run(drop));
    let mut streams = Vec::new();
    for _ in 0..256 {
        let mut stream = mux.open().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        streams.push(stream);
    }
    let opening = mux.open();
    tokio::pin!(opening);
    assert!(futures::poll!(opening.as_mut()).is_pending());
    let accept = Header { kind: Kind::WindowUpdate, flags: Flags::ACK, stream: 1, len: 0 };
    silent.write_all(&accept.encode()).await.unwrap();
    opening.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let (one, _silent) = tokio::io::duplex(100_000);
    let (_mux, driver) = super::client(one, config());
    assert!(matches!(driver.run(drop).await, Closed::Unanswered));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (one, _silent) = tokio::io::duplex(1);
    let (mux, driver) = super::client(one, config());
    mux.open().await.unwrap().write_all(b"question").await.unwrap();
    assert!(matches!(driver.run(drop).await, Closed::Stalled));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_stays() {
    let Pair { client, server, drivers, .. } = pair();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(client.is_open() && server.is_open());
    assert!(drivers.iter().all(|driver| !driver.is_finished()));
}

#[test]
fn unread_bytes_are_limited_over_all_streams() {
    let mut state = State::new(Side::Server, Config { budget: Budget::new(100), ..config() });
    let open = |stream, len| Header { kind: Kind::Data, flags: Flags::SYN, stream, len }.encode();
    state.feed(&open(1, 60)).unwrap();
    state.feed(&[0; 60]).unwrap();
    state.feed(&open(3, 60)).unwrap();
    assert_eq!(state.feed(&[0; 60]), Err(ProtocolError::Unread));
}

/// What comes out of two states that are fed each other's output, cut anywhere.
fn relay(from: &mut State, to: &mut State, piece: usize) {
    let bytes = from.out.split();
    for bytes in bytes.chunks(piece) {
        to.feed(bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn data_arrives_whole_and_in_order_however_it_is_cut(
        writes in proptest::collection::vec((0usize..4, 1usize..5000), 1..40),
        piece in 1usize..100,
    ) {
        let mut client = State::new(Side::Client, config());
        let mut server = State::new(Side::Server, config());
        let ids: Vec<u32> = (0..4).map(|_| client.open().unwrap()).collect();
        let mut sent = vec![Vec::new(); 4];
        for (number, (at, len)) in writes.into_iter().enumerate() {
            let data = vec![number as u8; len];
            let written = client.write(ids[at], &[&data[..len / 2], &data[len / 2..]], usize::MAX);
            sent[at].extend_from_slice(&data[..written]);
            relay(&mut client, &mut server, piece);
            relay(&mut server, &mut client, piece);
        }
        for (at, id) in ids.iter().enumerate() {
            client.finish(*id);
            relay(&mut client, &mut server, piece);
            let slot = &server.streams[id];
            prop_assert!(slot.remote_closed);
            prop_assert!(slot.received[..] == sent[at][..]);
        }
    }

    #[test]
    fn garbage_is_an_error_or_ignored(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let mut state = State::new(Side::Server, config());
        let _ = state.feed(&bytes);
    }

    #[test]
    fn frames_at_random_are_an_error_or_ignored(
        frames in proptest::collection::vec((0u8..4, 0u16..16, 0u32..6, 0u32..300), 0..30),
    ) {
        let mut state = State::new(Side::Server, config());
        for (kind, flags, stream, len) in frames {
            let kind = [Kind::Data, Kind::WindowUpdate, Kind::Ping, Kind::GoAway][usize::from(kind)];
            let fed = state.feed(&Header { kind, flags: Flags(flags), stream, len }.encode());
            let fed = fed.and_then(|()| state.feed(&vec![0; if kind == Kind::Data { len as usize } else { 0 }]));
            if fed.is_err() {
                break;
            }
            for id in std::mem::take(&mut state.accepted) {
                if id == 3 {
                    state.release(id);
                }
            }
        }
        state.die();
        for id in 0..6 {
            state.release(id);
        }
        prop_assert_eq!(state.config.budget.used(), 0);
    }
}
