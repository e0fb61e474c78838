//! The messages of this layer: a type byte and a MessagePack map.
//!
//! What comes from a peer is checked by type only; whether a message makes sense is the business of who handles it.
//! Missing fields and nil are zero values, unknown fields are skipped.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use consul_api::msgpack;
use consul_api::types::bytes::Blob;
use consul_api::types::coordinate::Coordinate;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::lamport::LamportTime;

/// The type bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Leave = 0,
    Join = 1,
    PushPull = 2,
    UserEvent = 3,
    Query = 4,
    QueryResponse = 5,
    ConflictResponse = 6,
    KeyRequest = 7,
    KeyResponse = 8,
    Relay = 9,
}

impl Kind {
    fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Leave,
            1 => Self::Join,
            2 => Self::PushPull,
            3 => Self::UserEvent,
            4 => Self::Query,
            5 => Self::QueryResponse,
            6 => Self::ConflictResponse,
            7 => Self::KeyRequest,
            8 => Self::KeyResponse,
            9 => Self::Relay,
            _ => return None,
        })
    }
}

/// Why bytes are not a message.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    #[error("message is empty")]
    Empty,
    #[error("unknown message type {0}")]
    UnknownKind(u8),
    #[error("message of type {0:?} where another was expected")]
    UnexpectedKind(Kind),
    #[error(transparent)]
    Body(#[from] msgpack::DecodeError),
}

/// A member leaves, or is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Leave {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    pub node: String,
    /// Forget the member altogether.
    pub prune: bool,
}

/// A member means to be here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Join {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    pub node: String,
}

/// State for a full exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PushPull {
    /// Member clock.
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    /// When the last intent about each member was sent.
    #[serde(rename = "StatusLTimes")]
    pub status_ltimes: BTreeMap<String, LamportTime>,
    pub left_members: Vec<String>,
    /// Event clock.
    #[serde(rename = "EventLTime")]
    pub event_ltime: LamportTime,
    /// The last events. Peers send their whole ring, empty slots included.
    pub events: Vec<Option<EventsAt>>,
    /// Query clock.
    #[serde(rename = "QueryLTime")]
    pub query_ltime: LamportTime,
}

/// All events of one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EventsAt {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    pub events: Vec<EventBody>,
}

/// A past event in an exchange.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EventBody {
    pub name: String,
    pub payload: Blob,
}

/// Something happened that everybody should hear of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UserEventMessage {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    pub name: String,
    pub payload: Blob,
    /// Only the latest of this name counts.
    #[serde(rename = "CC")]
    pub coalesce: bool,
}

/// A question to all, or to those that filters let through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryMessage {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    #[serde(rename = "ID")]
    pub id: u32,
    /// IP of who asks.
    pub addr: IpBytes,
    pub port: u16,
    pub source_node: String,
    pub filters: Option<Vec<Blob>>,
    pub flags: u32,
    pub relay_factor: u8,
    /// Nanoseconds.
    pub timeout: i64,
    pub name: String,
    pub payload: Blob,
}

/// Query flag: say at once that you got it.
pub const QUERY_ACK: u32 = 1;
/// Query flag: do not pass it on.
pub const QUERY_NO_BROADCAST: u32 = 2;

impl QueryMessage {
    /// Where answers go.
    pub fn reply_to(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.addr.0?, self.port)).filter(|addr| addr.port() != 0)
    }
}

/// An answer to a query, or the word that it arrived.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct QueryResponse {
    #[serde(rename = "LTime")]
    pub ltime: LamportTime,
    #[serde(rename = "ID")]
    pub id: u32,
    pub from: String,
    pub flags: u32,
    pub payload: Blob,
}

/// Response flag: this is no answer, only the word that the query arrived.
pub const RESPONSE_ACK: u32 = 1;

/// A member as the answer to a name conflict describes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MemberBody {
    pub name: String,
    pub addr: IpBytes,
    pub port: u16,
    pub tags: BTreeMap<String, String>,
    pub status: u8,
    pub protocol_min: u8,
    pub protocol_max: u8,
    pub protocol_cur: u8,
    pub delegate_min: u8,
    pub delegate_max: u8,
    pub delegate_cur: u8,
}

/// A key to install, use or remove. For a list: no key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyRequest {
    pub key: KeyBytes,
}

/// What became of a key request.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyResponse {
    pub result: bool,
    pub message: String,
    /// Base64.
    pub keys: Option<Vec<String>>,
    /// Base64.
    pub primary_key: String,
}

impl fmt::Debug for KeyResponse {
    /// Keys are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyResponse")
            .field("result", &self.result)
            .field("message", &self.message)
            .field("keys", &self.keys.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// Where a relayed message is to go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RelayHeader {
    pub dest_addr: RelayAddr,
    pub dest_name: String,
}

/// An address as a relay header writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RelayAddr {
    #[serde(rename = "IP")]
    pub ip: IpBytes,
    pub port: u16,
    pub zone: String,
}

impl RelayAddr {
    /// The address, if it is one.
    pub fn addr(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip.0?, self.port)).filter(|addr| addr.port() != 0)
    }
}

/// A message that arrives by itself, not inside another.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Leave(Leave),
    Join(Join),
    UserEvent(UserEventMessage),
    Query(QueryMessage),
    QueryResponse(QueryResponse),
    Relay(RelayHeader, Bytes),
}

impl Message {
    /// Reads a message that arrived.
    ///
    /// # Errors
    /// The bytes are no message, or of a kind that only occurs inside others.
    pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        let (kind, mut body) = split(bytes)?;
        Ok(match kind {
            Kind::Leave => Self::Leave(msgpack::from_front(&mut body)?),
            Kind::Join => Self::Join(msgpack::from_front(&mut body)?),
            Kind::UserEvent => Self::UserEvent(msgpack::from_front(&mut body)?),
            Kind::Query => Self::Query(msgpack::from_front(&mut body)?),
            Kind::QueryResponse => Self::QueryResponse(msgpack::from_front(&mut body)?),
            Kind::Relay => {
                let header = msgpack::from_front(&mut body)?;
                Self::Relay(header, Bytes::copy_from_slice(body))
            }
            Kind::PushPull | Kind::ConflictResponse | Kind::KeyRequest | Kind::KeyResponse => {
                return Err(MessageError::UnexpectedKind(kind));
            }
        })
    }
}

fn split(bytes: &[u8]) -> Result<(Kind, &[u8]), MessageError> {
    let (first, body) = bytes.split_first().ok_or(MessageError::Empty)?;
    Ok((Kind::from_wire(*first).ok_or(MessageError::UnknownKind(*first))?, body))
}

/// Whether a message is of this kind; its body is not looked at.
pub fn is_kind(bytes: &[u8], kind: Kind) -> bool {
    bytes.first() == Some(&(kind as u8))
}

/// Reads the body of a message that must be of one kind.
///
/// # Errors
/// It is of another kind, or not readable.
pub fn decode_as<'de, T: Deserialize<'de>>(kind: Kind, bytes: &'de [u8]) -> Result<T, MessageError> {
    let (found, mut body) = split(bytes)?;
    if found != kind {
        return Err(MessageError::UnexpectedKind(found));
    }
    Ok(msgpack::from_front(&mut body)?)
}

/// Writes a message.
///
/// # Errors
/// A field is longer than the format can say.
pub fn encode<T: Serialize>(kind: Kind, body: &T) -> Result<Vec<u8>, msgpack::EncodeError> {
    let mut out = Vec::with_capacity(128);
    out.push(kind as u8);
    msgpack::encode_into(&mut out, body)?;
    Ok(out)
}

/// Writes a message to be passed on to `dest`.
///
/// # Errors
/// A field is longer than the format can say.
pub fn encode_relay(
    dest: SocketAddr,
    dest_name: &str,
    inner: &[u8],
) -> Result<Vec<u8>, msgpack::EncodeError> {
    let dest_addr = RelayAddr { ip: dest.ip().into(), port: dest.port(), zone: String::new() };
    let mut out = encode(Kind::Relay, &RelayHeader { dest_addr, dest_name: dest_name.to_owned() })?;
    out.extend_from_slice(inner);
    Ok(out)
}

/// First byte of a coordinate that rides on the answer to a ping.
const PING_COORDINATE: u8 = 1;

/// Writes a coordinate for the answer to a ping.
///
/// # Errors
/// Never in practice: a coordinate has nothing that could be too long.
pub fn encode_ping_payload(coordinate: &Coordinate) -> Result<Vec<u8>, msgpack::EncodeError> {
    let mut out = vec![PING_COORDINATE];
    msgpack::encode_into(&mut out, coordinate)?;
    Ok(out)
}

/// Reads the coordinate from the answer to a ping. `None` if there is none that we understand.
pub fn decode_ping_payload(payload: &[u8]) -> Option<Coordinate> {
    let body = payload.strip_prefix(&[PING_COORDINATE])?;
    msgpack::from_slice(body).ok()
}

/// An IP as the wire has it: its four or sixteen bytes, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpBytes(pub Option<IpAddr>);

impl From<IpAddr> for IpBytes {
    fn from(ip: IpAddr) -> Self {
        Self(Some(ip))
    }
}

impl Serialize for IpBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(IpAddr::V4(ip)) => serializer.serialize_bytes(&ip.octets()),
            Some(IpAddr::V6(ip)) => serializer.serialize_bytes(&ip.octets()),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for IpBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Blob::deserialize(deserializer)?;
        let ip = if bytes.is_empty() {
            None
        } else if let Ok(four) = <[u8; 4]>::try_from(bytes.as_slice()) {
            Some(IpAddr::from(four))
        } else if let Ok(sixteen) = <[u8; 16]>::try_from(bytes.as_slice()) {
            Some(IpAddr::from(sixteen).to_canonical())
        } else {
            return Err(serde::de::Error::custom("an IP has 4 or 16 bytes"));
        };
        Ok(Self(ip))
    }
}

/// A raw key. Written as an empty string when there is none, where other byte strings are nil.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyBytes(pub Box<[u8]>);

impl fmt::Debug for KeyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyBytes({} bytes)", self.0.len())
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Blob::deserialize(deserializer).map(|blob| Self(blob.0))
    }
}
