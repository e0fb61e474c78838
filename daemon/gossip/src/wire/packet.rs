//! Packets: what surrounds messages on the way out, and the way back in.

use super::compound;
use super::compress::{self, ExpandError};
use super::kind;
use super::message::{Message, MessageError};
use super::seal::{self, NONCE_LEN, Padding};
use crate::keyring::{Key, Keyring};
use crate::swim::DropReason;

/// What a checksum adds in bytes.
pub const CHECKSUM_OVERHEAD: usize = 5;

/// Compounds and compressions inside one another; senders go three deep.
const DEPTH_MAX: usize = 8;

/// How a packet is finished.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    pub compression: bool,
    /// Whether the receiver is known to read checksums.
    pub checksum: bool,
    pub encryption: Option<(&'a Key, [u8; NONCE_LEN])>,
}

/// Makes a packet from one message or compound.
pub fn finish(mut message: Vec<u8>, how: Finish<'_>) -> Vec<u8> {
    if how.compression {
        message = compress::compress_if_shorter(message);
    }
    if how.checksum {
        message = with_checksum(&message);
    }
    match how.encryption {
        Some((key, nonce)) => seal::seal(key, Padding::None, nonce, &message, &[]),
        None => message,
    }
}

fn with_checksum(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + CHECKSUM_OVERHEAD);
    out.push(kind::CHECKSUM);
    out.extend_from_slice(&crc32fast::hash(message).to_be_bytes());
    out.extend_from_slice(message);
    out
}

/// Takes the outer layers off a packet: encryption and checksum.
pub fn open(packet: &[u8], keyring: Option<&Keyring>, verify: bool) -> Result<Vec<u8>, DropReason> {
    let plain = match keyring {
        // An encrypted packet starts with a version, which is far from the label's byte.
        _ if packet.first() == Some(&kind::LABEL) => return Err(DropReason::Label),
        None => packet.to_vec(),
        Some(keyring) => match seal::open(keyring, packet, &[]) {
            Ok(plain) => plain,
            Err(_) if verify => return Err(DropReason::Decrypt),
            Err(_) => packet.to_vec(),
        },
    };
    check(plain)
}

fn check(mut plain: Vec<u8>) -> Result<Vec<u8>, DropReason> {
    if plain.first() != Some(&kind::CHECKSUM) {
        return Ok(plain);
    }
    let Some((head, message)) = plain.split_first_chunk::<CHECKSUM_OVERHEAD>() else {
        return Err(DropReason::Malformed);
    };
    let [_, sum @ ..] = *head;
    if crc32fast::hash(message) != u32::from_be_bytes(sum) {
        return Err(DropReason::Checksum);
    }
    plain.drain(..CHECKSUM_OVERHEAD);
    Ok(plain)
}

/// Unpacks an opened packet and hands over each message, or why a part of it is none.
pub fn unpack(plain: &[u8], visit: &mut dyn FnMut(Result<Message<'_>, DropReason>)) {
    let mut room = super::PACKET_PLAIN_MAX;
    unpack_part(plain, 0, &mut room, visit);
}

fn unpack_part(
    bytes: &[u8],
    depth: usize,
    room: &mut usize,
    visit: &mut dyn FnMut(Result<Message<'_>, DropReason>),
) {
    if depth > DEPTH_MAX {
        return visit(Err(DropReason::TooDeep));
    }
    match bytes.split_first() {
        None => visit(Err(DropReason::Malformed)),
        Some((&kind::COMPOUND, body)) => unpack_compound(body, depth, room, visit),
        Some((&kind::COMPRESS, body)) => match compress::expand(body, *room) {
            Ok(expanded) => {
                *room = room.saturating_sub(expanded.len());
                unpack_part(&expanded, depth + 1, room, visit);
            }
            Err(ExpandError::TooLarge { .. }) => visit(Err(DropReason::TooLarge)),
            Err(_) => visit(Err(DropReason::Malformed)),
        },
        Some(_) => visit(Message::decode(bytes).map_err(|error| match error {
            MessageError::UnknownType(_) => DropReason::UnknownType,
            MessageError::Empty | MessageError::Body(_) => DropReason::Malformed,
        })),
    }
}

fn unpack_compound(
    body: &[u8],
    depth: usize,
    room: &mut usize,
    visit: &mut dyn FnMut(Result<Message<'_>, DropReason>),
) {
    let Some(mut parts) = compound::split(body) else { return visit(Err(DropReason::Malformed)) };
    for part in parts.by_ref() {
        unpack_part(part, depth + 1, room, visit);
    }
    if parts.was_cut() {
        visit(Err(DropReason::Malformed));
    }
}
