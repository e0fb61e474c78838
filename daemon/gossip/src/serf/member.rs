//! A member as the agent sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::tags::{self, Tags};
use crate::node::{Node, NodeState, Seen, Versions};

/// What became of a member. The numbers are those of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MemberStatus {
    /// Takes part.
    Alive = 1,
    /// Said that it goes, and is still there.
    Leaving = 2,
    /// Went on purpose, or was removed by an operator.
    Left = 3,
    /// Does not answer.
    Failed = 4,
}

impl MemberStatus {
    /// The number in the HTTP API and on the wire.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The word that users see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for MemberStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One member. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Unique in the pool.
    pub name: Arc<str>,
    /// Where it gossips.
    pub addr: SocketAddr,
    /// What it says about itself.
    pub tags: Arc<Tags>,
    /// What became of it.
    pub status: MemberStatus,
    /// Protocol versions it speaks.
    pub versions: Versions,
}

impl Member {
    /// A member just heard of.
    pub fn new(node: &Node, status: MemberStatus) -> Self {
        Self {
            name: Arc::clone(&node.name),
            addr: node.addr,
            tags: Arc::new(tags::decode(&node.meta)),
            status,
            versions: node.versions,
        }
    }

    /// A member as a peer sees it.
    pub fn of_peer(seen: &Seen) -> Self {
        let status = match seen.state {
            NodeState::Alive | NodeState::Suspect => MemberStatus::Alive,
            NodeState::Dead => MemberStatus::Failed,
            NodeState::Left => MemberStatus::Left,
        };
        Self::new(&seen.node, status)
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name).map(String::as_str)
    }
}
