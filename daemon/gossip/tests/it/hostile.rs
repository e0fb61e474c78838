//! Whatever arrives, nothing panics, and nothing is believed about lengths.

use consul_gossip::wire::stream::{self, StreamReader};
use consul_gossip::wire::{compound, compress, packet};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::vectors::{hex, keyring, names};

fn read_packet(bytes: &[u8]) {
    let ring = keyring();
    for ring in [None, Some(&ring)] {
        for verify in [true, false] {
            if let Ok(plain) = packet::open(bytes, ring, verify) {
                packet::unpack(&plain, &mut |_| {});
            }
        }
    }
    packet::unpack(bytes, &mut |_| {});
}

fn read_stream(bytes: &[u8], piece: usize) {
    let ring = keyring();
    for ring in [None, Some(&ring)] {
        let mut reader = StreamReader::default();
        for chunk in bytes.chunks(piece.max(1)) {
            match reader.push(chunk, ring, ring.is_some()) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    let _ = stream::decode(&message);
                    break;
                }
                Err(_) => break,
            }
        }
    }
    let _ = stream::decode(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_survived(mut bytes in vec(any::<u8>(), 0..600), first in 0u8..16, piece in 1usize..64) {
        read_packet(&bytes);
        read_stream(&bytes, piece);
        // With a valid type they come further.
        if let Some(kind) = bytes.first_mut() {
            *kind = first;
        }
        read_packet(&bytes);
        read_stream(&bytes, piece);
    }

    #[test]
    fn flipped_bits_and_cut_ends_are_survived(
        which in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
        keep in any::<prop::sample::Index>(),
        piece in 1usize..200,
    ) {
        let names = [names("gossip-"), names("hand-"), names("derived-")].concat();
        let mut bytes = hex(which.get::<String>(&names));
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        read_packet(&bytes);
        read_stream(&bytes, piece);
        bytes.truncate(keep.index(bytes.len()) + 1);
        read_packet(&bytes);
        read_stream(&bytes, piece);
    }

    #[test]
    fn what_is_compressed_is_expanded_again(bytes in vec(0u8..4, 0..9000)) {
        let compressed = compress::compress(&bytes).unwrap();
        prop_assert_eq!(compress::expand(&compressed[1..], bytes.len()).unwrap(), bytes);
    }

    #[test]
    fn what_is_joined_is_split_again(parts in vec(vec(any::<u8>(), 0..40), 0..127)) {
        let joined = compound::join(&parts);
        let split: Vec<&[u8]> = compound::split(&joined[1..]).unwrap().collect();
        prop_assert_eq!(split, parts);
    }
}

#[test]
fn claims_of_gigabytes_allocate_nothing() {
    // A frame, a user message and an exchange whose lengths are far beyond what follows.
    let frame = [&[10u8][..], &(19u32 << 20).to_be_bytes(), &[1; 64]].concat();
    assert!(matches!(StreamReader::default().push(&frame, Some(&keyring()), true), Ok(None)));
    let too_long = [&[10u8][..], &u32::MAX.to_be_bytes()].concat();
    assert!(StreamReader::default().push(&too_long, Some(&keyring()), true).is_err());
    let user = b"\x08\x81\xaaUserMsgLen\xcf\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec();
    assert!(StreamReader::default().push(&user, None, true).is_err());
    let exchange =
        b"\x06\x83\xa5Nodes\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xacUserStateLen\x00\xa4Join\xc2".to_vec();
    assert!(stream::decode(&exchange).is_err());
    assert!(matches!(StreamReader::default().push(&exchange, None, true), Ok(None)));
}

#[test]
fn a_bomb_is_cut_off() {
    let bomb = compress::compress(&vec![0; 8 << 20]).unwrap();
    assert!(bomb.len() < 1 << 20);
    let mut reasons = Vec::new();
    packet::unpack(&bomb, &mut |message| reasons.push(message.unwrap_err()));
    assert_eq!(reasons, [consul_gossip::swim::DropReason::TooLarge]);
}

#[test]
fn nesting_has_an_end() {
    let mut packet = vec![0x0b, 0x81, 0xa5, b'S', b'e', b'q', b'N', b'o', 1];
    for _ in 0..1000 {
        packet = compound::join(&[packet]);
    }
    let mut reasons = Vec::new();
    packet::unpack(&packet, &mut |message| reasons.push(message.unwrap_err()));
    assert_eq!(reasons, [consul_gossip::swim::DropReason::TooDeep]);
}
