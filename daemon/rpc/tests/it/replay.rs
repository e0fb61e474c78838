//! Bytes of real agents, replayed against our server.

use bytes::Bytes;
use consul_rpc::codec::{MessageReader, Sizes, request_head, response_head};
use consul_rpc::server::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{start, unhex, within};

const SIZES: Sizes = Sizes { header_max: 4096, body_max: 1 << 20 };

#[tokio::test]
async fn the_first_bytes_of_a_client_agent_are_six_calls() {
    let server = start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&unhex(include_str!("../data/client-to-server.hex"))).await.unwrap();
    let mut answers = Vec::new();
    // Each answer is an error, after which the server ends the stream: only the first call is answered.
    let expected = b"rpc: can't find service Catalog.NodeServiceList";
    while !answers.windows(expected.len()).any(|bytes| bytes == expected) {
        let mut bytes = [0; 4096];
        let len = within("an answer", socket.read(&mut bytes)).await.unwrap();
        assert!(len > 0, "the connection stays open");
        answers.extend_from_slice(&bytes[..len]);
    }
    assert_eq!(answers[..12], [0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0], "the stream is accepted at once");
    let seen = server.methods.seen.lock().clone();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0, "Catalog.NodeServiceList");
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order() {
    let server = start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut bytes = vec![0];
    // Header as a map with a field of a later release, then as an array; the second body is nil.
    bytes.extend(unhex("83a353657101ad536572766963654d6574686f64ab5374617475732e50696e67a14e01"));
    bytes.extend(unhex("81a14105"));
    bytes.extend(unhex("92ab5374617475732e50696e6702c0"));
    for byte in bytes {
        socket.write_all(&[byte]).await.unwrap();
    }
    let mut reader = MessageReader::new();
    let first = within("an answer", reader.read_response(&mut socket, SIZES)).await.unwrap();
    assert_eq!((first.header.seq, first.body), (1, Bytes::from(unhex("81a14105"))));
    let second = within("an answer", reader.read_response(&mut socket, SIZES)).await.unwrap();
    assert_eq!((second.header.seq, second.body), (2, Bytes::from_static(&[0x80])));
}

#[tokio::test]
async fn a_half_closed_connection_still_gets_its_answers() {
    let server = start(Limits::default()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let ping = unhex("82a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780");
    socket.write_all(&[&[0], &ping[..], &ping[..]].concat()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answers = Vec::new();
    within("the server ends it", socket.read_to_end(&mut answers)).await.unwrap();
    let expected = unhex("83a54572726f72a0a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780");
    assert_eq!(answers, [&expected[..], &expected[..]].concat());
}

/// What the data frames of the first stream carry.
fn stream_data(mut bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<12>() {
        let len =
            if header[1] == 0 { u32::from_be_bytes(header[8..].try_into().unwrap()) as usize } else { 0 };
        data.extend_from_slice(&rest[..len]);
        bytes = &rest[len..];
    }
    data
}

#[tokio::test]
async fn captured_requests_are_read_and_written_byte_for_byte() {
    let captured = unhex(include_str!("../data/client-to-server.hex"));
    let data = stream_data(&captured[1..]);
    let (mut stream, mut reader, mut written) = (&data[..], MessageReader::new(), Vec::new());
    let mut count = 0;
    while let Some(request) = reader.read_request(&mut stream, SIZES).await.unwrap() {
        written.extend(request_head(&request.header.service_method, request.header.seq, 0));
        written.extend_from_slice(&request.body);
        count += 1;
    }
    assert_eq!(count, 6);
    assert!(written == data);
}

#[tokio::test]
async fn captured_responses_are_read_and_written_byte_for_byte() {
    let data = stream_data(&unhex(include_str!("../data/server-to-client.hex")));
    let (mut stream, mut reader, mut written) = (&data[..], MessageReader::new(), Vec::new());
    for _ in 0..6 {
        let response = reader.read_response(&mut stream, SIZES).await.unwrap();
        let header = &response.header;
        written.extend(response_head(&header.service_method, header.seq, &header.error, 0));
        written.extend_from_slice(&response.body);
    }
    assert!(written == data);
}
