//! Packets that nobody honest sends.

use hickory_proto::rr::RecordType::A;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::client::{ask, framed, question, send_udp, with_edns};
use crate::world::{World, serve};

fn valid() -> Vec<u8> {
    with_edns(question("web.service.consul.", A), 1232, Some(&[0, 1, 24, 0, 10, 0, 7])).to_vec().unwrap()
}

#[tokio::test]
async fn malformed_packets_get_no_more_than_a_header() {
    let dns = serve(World::new()).await;
    let good = valid();
    let mut loops = good[..12].to_vec();
    loops.extend([0xc0, 12, 0, 1, 0, 1]);
    let mut no_question = good[..12].to_vec();
    no_question[5] = 0;
    let mut many = good.clone();
    many[4..6].copy_from_slice(&[0xff, 0xff]);
    let mut records = good.clone();
    records[6..12].copy_from_slice(&[0xff; 6]);
    let mut bad_label = good.clone();
    bad_label[12] = 0x80;
    let mut long_option = good.clone();
    let rdlen = good.len() - 12;
    long_option[rdlen..rdlen + 1].copy_from_slice(&[0xff]);
    for packet in [&good[..20], &loops, &no_question, &many, &records, &bad_label, &long_option] {
        let reply = send_udp(dns.addr, packet).await;
        assert_eq!((reply.len(), &reply[..2], reply[3] & 0x0f), (12, &packet[..2], 1), "{packet:?}");
    }
}

#[tokio::test]
async fn responses_and_fragments_get_silence() {
    let dns = serve(World::new()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut response = valid();
    response[2] |= 0x80;
    for packet in [&response[..], &response[..11], &[]] {
        socket.send_to(packet, dns.addr).await.unwrap();
    }
    // Packets of one socket are handled in order: the first reply belongs to the first packet that deserves one.
    let mut last = valid();
    last[0..2].copy_from_slice(&[0xab, 0xcd]);
    socket.send_to(&last, dns.addr).await.unwrap();
    let mut buffer = [0; 1500];
    socket.recv(&mut buffer).await.unwrap();
    assert_eq!(buffer[..2], [0xab, 0xcd]);
}

#[test]
fn garbage_neither_stops_the_server_nor_is_amplified() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dns = runtime.block_on(serve(World::new()));
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
    let damaged = (any::<prop::sample::Index>(), any::<u8>(), any::<prop::sample::Index>()).prop_map(
        |(at, byte, cut)| {
            let mut packet = valid();
            let at = at.index(packet.len());
            packet[at] = byte;
            packet.truncate(cut.index(packet.len()) + 1);
            packet
        },
    );
    let packets = prop_oneof![prop::collection::vec(any::<u8>(), 0..600), damaged];
    runner
        .run(&packets, |packet| {
            runtime.block_on(socket.send_to(&packet, dns.addr)).unwrap();
            Ok(())
        })
        .unwrap();
    let reply = runtime.block_on(ask(dns.addr, "web.service.consul.", A));
    assert_eq!(reply.answers().len(), 3);
    let mut buffer = [0; 65_535];
    while let Ok(len) = socket.try_recv(&mut buffer) {
        assert!(len <= 1232, "{len}");
    }
}

#[tokio::test]
async fn garbage_on_tcp_ends_only_its_own_connection() {
    let dns = serve(World::new()).await;
    let mut short = TcpStream::connect(dns.addr).await.unwrap();
    short.write_all(&framed(&[1, 2, 3])).await.unwrap();
    assert!(matches!(short.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    let mut cut = TcpStream::connect(dns.addr).await.unwrap();
    cut.write_all(&[0xff, 0xff, 1, 2, 3]).await.unwrap();
    cut.shutdown().await.unwrap();
    assert!(matches!(cut.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert_eq!(ask(dns.addr, "web.service.consul.", A).await.answers().len(), 3);
}
