//! Who takes part in consensus, and the openraft types they are built from.
//!
//! openraft's own types stay inside this crate: other crates see [`ServerId`] and [`Peer`].

use std::fmt;
use std::str::FromStr;

use openraft::BasicNode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::payload::Payload;
use crate::snapshot::SnapshotBody;

openraft::declare_raft_types!(
    /// Ties our payload, ids and snapshots together for openraft.
    ///
    /// The result type is empty: outcomes never leave the server that proposed a command, so they
    /// travel beside openraft (see `proposer`), not through it.
    pub TypeConfig:
        D = Payload,
        R = (),
        NodeId = ServerId,
        Node = BasicNode,
        SnapshotData = SnapshotBody,
);

pub(crate) type OpenRaft = openraft::Raft<TypeConfig>;
pub(crate) type Entry = openraft::Entry<TypeConfig>;
pub(crate) type LogId = openraft::LogId<ServerId>;
pub(crate) type LeaderId = openraft::LeaderId<ServerId>;
pub(crate) type Vote = openraft::Vote<ServerId>;
pub(crate) type Membership = openraft::Membership<ServerId, BasicNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<ServerId, BasicNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<ServerId, BasicNode>;
pub(crate) type Snapshot = openraft::Snapshot<TypeConfig>;
pub(crate) type StorageError = openraft::StorageError<ServerId>;

/// The identity of a server: its node id, a UUID.
///
/// Ordered, because openraft breaks ties between candidates of one term by id.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u128);

impl ServerId {
    /// Takes the number whose sixteen bytes, big end first, are the UUID's.
    pub const fn from_u128(id: u128) -> Self {
        Self(id)
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            (id >> 80) & 0xffff,
            (id >> 64) & 0xffff,
            (id >> 48) & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a UUID of the form 8-4-4-4-12 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server id must be a UUID")]
pub struct ParseServerIdError;

impl FromStr for ServerId {
    type Err = ParseServerIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let groups: Vec<&str> = text.split('-').collect();
        if groups.iter().map(|group| group.len()).ne([8, 4, 4, 4, 12]) {
            return Err(ParseServerIdError);
        }
        let digits = groups.concat();
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ParseServerIdError);
        }
        u128::from_str_radix(&digits, 16).map(Self).map_err(|_| ParseServerIdError)
    }
}

impl Serialize for ServerId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for ServerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = ServerId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a server id: a UUID or its sixteen bytes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ServerId, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<ServerId, E> {
                ServerId::from_slice(bytes).ok_or_else(|| E::custom("a server id has sixteen bytes"))
            }
        }

        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(Visitor);
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

/// A server and where its RPC port listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub id: ServerId,
    /// `host:port`.
    pub address: String,
}

impl Peer {
    pub(crate) fn new(id: ServerId, node: &BasicNode) -> Self {
        Self { id, address: node.addr.clone() }
    }

    pub(crate) fn node(&self) -> BasicNode {
        BasicNode::new(&self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_id_reads_and_prints_as_a_uuid() {
        let text = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
        let id: ServerId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(ServerId::from_slice(&id.to_bytes()), Some(id));
        assert_eq!("0a1b2c3d".parse::<ServerId>(), Err(ParseServerIdError));
        assert_eq!("+a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9".parse::<ServerId>(), Err(ParseServerIdError));
    }

    #[test]
    fn a_server_id_survives_json_and_msgpack() {
        let id = ServerId::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<ServerId>(&json).unwrap(), id);
        let packed = rmp_serde::to_vec(&id).unwrap();
        assert_eq!(rmp_serde::from_slice::<ServerId>(&packed).unwrap(), id);
    }
}
