//! What is known of a member.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::time::Time;

/// Longest description of a member, in bytes.
pub const META_MAX: usize = 512;

/// Longest member name we take from the network, in bytes. The protocol has no limit of its own; packets have.
pub const NAME_MAX: usize = 512;

/// The protocol versions that a member speaks, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Versions {
    /// Oldest membership protocol understood.
    pub min: u8,
    /// Newest membership protocol understood: 3 answers pings over streams, 4 sends nacks, 5 reads checksums.
    pub max: u8,
    /// Membership protocol in use.
    pub current: u8,
    /// Oldest protocol of the layer above that is understood.
    pub delegate_min: u8,
    /// Newest protocol of the layer above that is understood.
    pub delegate_max: u8,
    /// Protocol of the layer above in use.
    pub delegate_current: u8,
}

impl Versions {
    /// What every agent since release 1.8 announces.
    pub const CURRENT: Self =
        Self { min: 1, max: 5, current: 2, delegate_min: 2, delegate_max: 5, delegate_current: 4 };

    pub const fn to_bytes(self) -> [u8; 6] {
        [self.min, self.max, self.current, self.delegate_min, self.delegate_max, self.delegate_current]
    }

    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        let [min, max, current, delegate_min, delegate_max, delegate_current] = bytes;
        Self { min, max, current, delegate_min, delegate_max, delegate_current }
    }

    /// Whether the membership part is a range at all.
    pub const fn is_valid(self) -> bool {
        self.min > 0 && self.max > 0 && self.min <= self.max
    }
}

/// A member as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Unique in its pool, compared byte by byte.
    pub name: Arc<str>,
    /// Where it receives packets and streams.
    pub addr: SocketAddr,
    /// What the layer above tells about itself (its tags), at most [`META_MAX`] bytes.
    pub meta: Bytes,
    pub versions: Versions,
}

/// What the pool thinks of a member. The numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NodeState {
    Alive = 0,
    /// Did not answer; counts as a member until the suspicion is confirmed by time.
    Suspect = 1,
    /// Failed.
    Dead = 2,
    /// Left on purpose.
    Left = 3,
}

impl NodeState {
    pub const fn from_wire(value: u64) -> Option<Self> {
        Some(match value {
            0 => Self::Alive,
            1 => Self::Suspect,
            2 => Self::Dead,
            3 => Self::Left,
            _ => return None,
        })
    }

    /// Alive or suspect: still a member.
    pub const fn is_member(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        })
    }
}

/// A member and what is thought of it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub node: Arc<Node>,
    pub state: NodeState,
    /// Version of what the member says of itself: a higher one refutes what was said of a lower one.
    pub incarnation: u32,
    /// When `state` last changed. In a list of a peer that asks to merge: the time of reading.
    pub changed: Time,
}
