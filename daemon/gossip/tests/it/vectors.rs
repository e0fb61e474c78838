//! Messages captured from real agents are understood, and written the same way.

use std::path::PathBuf;

use consul_gossip::Keyring;
use consul_gossip::keyring::Key;
use consul_gossip::wire::message::{Message, Ping};
use consul_gossip::wire::packet::{self, Finish};
use consul_gossip::wire::seal::{self, Padding};
use consul_gossip::wire::stream::{self, PushPull, StreamMessage, StreamReader};
use consul_gossip::wire::{compound, compress, kind};

pub fn data(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

pub fn hex(name: &str) -> Vec<u8> {
    let text = String::from_utf8(data(name)).unwrap();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub fn names(prefix: &str) -> Vec<String> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix) && name.ends_with(".hex"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn k0() -> Key {
    Key::new(&(0x00..0x10).collect::<Vec<u8>>()).unwrap()
}

fn k1() -> Key {
    Key::new(&(0x10..0x30).collect::<Vec<u8>>()).unwrap()
}

pub fn keyring() -> Keyring {
    let mut ring = Keyring::new(k0());
    ring.install(k1()).unwrap();
    ring
}

/// Decodes a packet without encryption down to its messages and demands that each layer is written the same way.
fn same_again(bytes: &[u8], name: &str) -> usize {
    match bytes[0] {
        kind::CHECKSUM => {
            let how = Finish { compression: false, checksum: true, encryption: None };
            assert_eq!(packet::finish(bytes[5..].to_vec(), how), bytes, "{name}");
            same_again(&bytes[5..], name)
        }
        kind::COMPRESS => {
            let plain = compress::expand(&bytes[1..], 1 << 20).unwrap();
            let ours = compress::compress(&plain).unwrap();
            assert_eq!(compress::expand(&ours[1..], 1 << 20).unwrap(), plain, "{name}");
            same_again(&plain, name)
        }
        kind::COMPOUND => {
            let parts: Vec<&[u8]> = compound::split(&bytes[1..]).unwrap().collect();
            assert_eq!(compound::join(&parts), bytes, "{name}");
            parts.iter().map(|part| same_again(part, name)).sum()
        }
        _ => {
            let message = Message::decode(bytes).unwrap();
            assert_eq!(message.encode(), bytes, "{name}");
            1
        }
    }
}

fn unpacked(plain: &[u8]) -> usize {
    let mut count = 0;
    packet::unpack(plain, &mut |message| {
        message.unwrap();
        count += 1;
    });
    count
}

#[test]
fn captured_packets_are_read_and_written_alike() {
    let mut seen = 0;
    for name in names("gossip-udp-") {
        let bytes = hex(&name);
        let sealed = name.contains("encrypted");
        let ring = keyring();
        let opened = packet::open(&bytes, sealed.then_some(&ring), true).unwrap();
        let messages = unpacked(&opened);
        let plain = if sealed { seal::open(&ring, &bytes, &[]).unwrap() } else { bytes.clone() };
        assert_eq!(same_again(&plain, &name), messages, "{name}");
        if sealed {
            let key = if name.contains("consul-event") { k1() } else { k0() };
            let nonce = bytes[1..13].try_into().unwrap();
            assert_eq!(seal::seal(&key, Padding::None, nonce, &plain, &[]), bytes, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 17);
}

/// Feeds a stream in pieces and returns the message that it carries.
fn read_stream(bytes: &[u8], piece: usize, ring: Option<&Keyring>) -> Vec<u8> {
    let mut reader = StreamReader::default();
    let mut pieces = bytes.chunks(piece).peekable();
    while let Some(chunk) = pieces.next() {
        if let Some(message) = reader.push(chunk, ring, true).unwrap() {
            assert!(pieces.peek().is_none(), "whole before the end");
            return message;
        }
    }
    panic!("never whole");
}

#[test]
fn captured_streams_are_read_in_any_pieces_and_written_alike() {
    let mut exchanges = 0;
    for name in names("gossip-tcp-").into_iter().chain(names("hand-tcp-")) {
        let bytes = hex(&name);
        let ring = keyring();
        let ring = name.contains("encrypted").then_some(&ring);
        for piece in [1, 7, bytes.len()] {
            let message = read_stream(&bytes, piece, ring);
            if let StreamMessage::PushPull(exchange) = stream::decode(&message).unwrap() {
                assert_eq!(exchange.encode(), message, "{name}");
                exchanges += 1;
                // The same without compression.
                assert_eq!(read_stream(&message, piece, None), message);
            }
        }
        if let Some(ring) = ring {
            let plain = seal::open(ring, &bytes[5..], &bytes[..5]).unwrap();
            let padding = if bytes[5] == 0 { Padding::Pkcs7 } else { Padding::None };
            let nonce = bytes[6..18].try_into().unwrap();
            assert_eq!(stream::seal_frame(&k0(), padding, nonce, &plain), bytes, "{name}");
        }
    }
    assert_eq!(exchanges, 3 * 8);
}

#[test]
fn an_exchange_tells_members_and_the_state_above() {
    let message = read_stream(&hex("gossip-tcp-pushpull-request.hex"), 100, None);
    let StreamMessage::PushPull(PushPull { join, nodes, user_state }) = stream::decode(&message).unwrap()
    else {
        panic!("not an exchange");
    };
    assert!(!join);
    let told: Vec<_> =
        nodes.iter().map(|node| (&*node.name, node.port, node.incarnation, node.state)).collect();
    assert_eq!(told, [("cli1", 25021, 1, 0), ("srv1", 25011, 1, 0)]);
    assert_eq!((nodes[0].addr.0, nodes[0].vsn.0), (&[127, 0, 0, 1][..], &[1, 5, 2, 2, 5, 4][..]));
    assert_eq!((user_state.len(), user_state[0]), (646, 2));
}

#[test]
fn both_versions_of_encryption_are_read_and_made() {
    let plain = hex("hand-udp-ping-plain-of-encrypted.hex");
    let nonce = std::array::from_fn(|at| 0x40 + at as u8);
    for (padding, name) in [
        (Padding::Pkcs7, "hand-udp-ping-encrypted-v0.hex"),
        (Padding::None, "hand-udp-ping-encrypted-v1.hex"),
    ] {
        assert_eq!(seal::seal(&k0(), padding, nonce, &plain, &[]), hex(name));
        assert_eq!(seal::open(&keyring(), &hex(name), &[]).unwrap(), plain);
    }
    let Message::Ping(ping) = Message::decode(&plain).unwrap() else { panic!("not a ping") };
    assert_eq!(ping, Ping { seq_no: 7, node: "st".into(), ..Ping::default() });
}

#[test]
fn keys_of_each_length_seal_and_open() {
    for len in [16, 24, 32] {
        let ring = Keyring::new(Key::new(&vec![7; len]).unwrap());
        let sealed = seal::seal(ring.primary(), Padding::None, [1; 12], b"text", b"bound");
        assert_eq!(seal::open(&ring, &sealed, b"bound").unwrap(), b"text");
        assert_eq!(seal::open(&ring, &sealed, b"other"), Err(seal::OpenError::NoKey));
    }
}

#[test]
fn messages_made_by_hand_are_read() {
    for name in names("hand-udp-") {
        let sealed = name.contains("-encrypted-");
        let ring = keyring();
        let opened = packet::open(&hex(&name), sealed.then_some(&ring), true).unwrap();
        assert_eq!(unpacked(&opened), 1, "{name}");
    }
}

#[test]
fn labelled_messages_are_dropped() {
    let ring = keyring();
    let packet = hex("derived-udp-ping-label-encrypted-v1.hex");
    assert!(packet::open(&packet, Some(&ring), true).is_err());
    assert!(packet::open(&packet, None, true).is_err());
    let stream = hex("derived-tcp-ping-label-encrypted-v1.hex");
    assert!(StreamReader::default().push(&stream, Some(&ring), true).is_err());
}

#[test]
fn a_long_compressed_stream_with_a_table_reset_is_read() {
    let expected = data("lzw-16k.plain.bin");
    let buf = data("lzw-16k.compressed.bin");
    // A map of two fields, the second a byte string with a length of 16 bits.
    let mut body = b"\x82\xa4Algo\x00\xa3Buf\xda".to_vec();
    body.extend_from_slice(&(buf.len() as u16).to_be_bytes());
    body.extend_from_slice(&buf);
    assert_eq!(compress::expand(&body, 20 << 20).unwrap(), expected);
    assert_eq!(
        compress::expand(&body, expected.len() - 1),
        Err(compress::ExpandError::TooLarge { limit: expected.len() - 1 })
    );
    let ours = compress::compress(&expected).unwrap();
    assert_eq!(compress::expand(&ours[1..], 20 << 20).unwrap(), expected);
}
