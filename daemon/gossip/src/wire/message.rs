//! What the messages of the membership protocol hold.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use consul_api::msgpack::{self, DecodeError};
use serde::{Deserialize, Serialize};

use super::{Raw, kind};

/// Asks whether the receiver lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ping<'a> {
    pub seq_no: u32,
    /// Whom it is for; empty: whoever gets it.
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// Where the answer goes; empty: to where the packet came from.
    #[serde(borrow, skip_serializing_if = "Raw::is_empty")]
    pub source_addr: Raw<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    pub source_port: u16,
    #[serde(borrow, skip_serializing_if = "str::is_empty")]
    pub source_node: Cow<'a, str>,
}

/// Asks to ping somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IndirectPing<'a> {
    pub seq_no: u32,
    #[serde(borrow)]
    pub target: Raw<'a>,
    pub port: u16,
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// Whether to be told that there was no answer.
    pub nack: bool,
    #[serde(borrow, skip_serializing_if = "Raw::is_empty")]
    pub source_addr: Raw<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    pub source_port: u16,
    #[serde(borrow, skip_serializing_if = "str::is_empty")]
    pub source_node: Cow<'a, str>,
}

/// Answers a ping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Ack<'a> {
    pub seq_no: u32,
    #[serde(borrow)]
    pub payload: Raw<'a>,
}

/// Answers an indirect ping that came to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Nack {
    pub seq_no: u32,
}

/// Says of a member that it is suspected or dead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Accusation<'a> {
    pub incarnation: u32,
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    /// Who says so. A dead member that says so itself has left.
    #[serde(borrow)]
    pub from: Cow<'a, str>,
}

/// Says of a member that it lives, and what it says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Alive<'a> {
    pub incarnation: u32,
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    #[serde(borrow)]
    pub addr: Raw<'a>,
    pub port: u16,
    #[serde(borrow)]
    pub meta: Raw<'a>,
    #[serde(borrow)]
    pub vsn: Raw<'a>,
}

/// Precedes a full exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PushPullHeader {
    pub nodes: u64,
    pub user_state_len: u64,
    pub join: bool,
}

/// A member in a full exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PushNode<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub addr: Raw<'a>,
    pub port: u16,
    #[serde(borrow)]
    pub meta: Raw<'a>,
    pub incarnation: u32,
    pub state: u64,
    #[serde(borrow)]
    pub vsn: Raw<'a>,
}

/// Precedes a message of the layer above in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct UserHeader {
    pub user_msg_len: u64,
}

/// Answers a stream that was not understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorAnswer<'a> {
    #[serde(borrow)]
    pub error: Cow<'a, str>,
}

fn is_zero(port: &u16) -> bool {
    *port == 0
}

/// One message of a packet, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    Ping(Ping<'a>),
    IndirectPing(IndirectPing<'a>),
    Ack(Ack<'a>),
    Nack(Nack),
    Suspect(Accusation<'a>),
    Alive(Alive<'a>),
    Dead(Accusation<'a>),
    User(&'a [u8]),
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("empty message")]
    Empty,
    #[error("message type {0} not supported")]
    UnknownType(u8),
    #[error(transparent)]
    Body(#[from] DecodeError),
}

impl<'a> Message<'a> {
    /// Reads a message that is not packed. Bytes behind it are ignored, as others do.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let (&first, body) = bytes.split_first().ok_or(MessageError::Empty)?;
        Ok(match first {
            kind::PING => Self::Ping(front(body)?),
            kind::INDIRECT_PING => Self::IndirectPing(front(body)?),
            kind::ACK => Self::Ack(front(body)?),
            kind::NACK => Self::Nack(front(body)?),
            kind::SUSPECT => Self::Suspect(front(body)?),
            kind::ALIVE => Self::Alive(front(body)?),
            kind::DEAD => Self::Dead(front(body)?),
            kind::USER => Self::User(body),
            other => return Err(MessageError::UnknownType(other)),
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ping(body) => encode(kind::PING, body),
            Self::IndirectPing(body) => encode(kind::INDIRECT_PING, body),
            Self::Ack(body) => encode(kind::ACK, body),
            Self::Nack(body) => encode(kind::NACK, body),
            Self::Suspect(body) => encode(kind::SUSPECT, body),
            Self::Alive(body) => encode(kind::ALIVE, body),
            Self::Dead(body) => encode(kind::DEAD, body),
            Self::User(body) => [&[kind::USER], *body].concat(),
        }
    }
}

pub(crate) fn front<'a, T: Deserialize<'a>>(mut body: &'a [u8]) -> Result<T, DecodeError> {
    msgpack::from_front(&mut body)
}

/// A type byte and a map.
pub(crate) fn encode(kind: u8, body: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.push(kind);
    append(&mut out, body);
    out
}

/// Appends a map. Encoding fails only for strings of 4 GiB, which no message here comes near.
pub(crate) fn append(out: &mut Vec<u8>, body: &impl Serialize) {
    let encoded = msgpack::encode_into(out, body);
    debug_assert!(encoded.is_ok(), "unencodable message");
}

/// An address as messages hold it.
#[derive(Clone, Copy, Debug)]
pub struct AddrBytes {
    bytes: [u8; 16],
    len: usize,
}

impl AddrBytes {
    pub fn new(ip: IpAddr) -> Self {
        let mut bytes = [0; 16];
        let len = match ip.to_canonical() {
            IpAddr::V4(ip) => {
                bytes[..4].copy_from_slice(&ip.octets());
                4
            }
            IpAddr::V6(ip) => {
                bytes = ip.octets();
                16
            }
        };
        Self { bytes, len }
    }

    pub fn raw(&self) -> Raw<'_> {
        Raw(self.bytes.get(..self.len).unwrap_or_default())
    }
}

/// Reads an address of 4 or 16 bytes.
pub fn ip_from(raw: Raw<'_>) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(raw.0) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    let v6 = <[u8; 16]>::try_from(raw.0).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(v6)).to_canonical())
}
