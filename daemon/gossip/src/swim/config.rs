//! What a pool is tuned by.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;

use crate::node::Versions;

/// Parameters of a member. Those that concern timing should be the same in the whole pool.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of the own node, unique in the pool.
    pub name: Arc<str>,
    /// Where others reach it, for packets and streams.
    pub addr: SocketAddr,
    /// What the own node says about itself at first.
    pub meta: Bytes,
    pub versions: Versions,
    /// Networks whose addresses may become members; none: all.
    pub allowed_networks: Option<Vec<IpNet>>,

    /// Time from one probe to the next, and of one probe while this node finds itself healthy.
    pub probe_interval: Duration,
    /// How long a direct ping is waited for before others are asked to ping.
    pub probe_timeout: Duration,
    /// How many members are asked to ping on our behalf.
    pub indirect_checks: usize,
    /// Whether a direct ping over a stream goes along with the indirect ones.
    pub stream_ping: bool,
    /// Health score at which the node trusts itself least, plus one: probes take up to this many intervals.
    pub awareness_max: u32,
    /// Shortest time of suspicion in probe intervals, for a pool of up to ten; grows with the logarithm.
    pub suspicion_mult: u32,
    /// Longest time of suspicion in shortest ones.
    pub suspicion_max_mult: u32,

    /// Time from one round of gossip to the next.
    pub gossip_interval: Duration,
    /// Members that each round reaches.
    pub gossip_nodes: usize,
    /// How long the dead are told the news, so that a node that lives hears of its death.
    pub gossip_to_the_dead: Duration,
    /// Transmissions of each message per decimal digit of the number of members.
    pub retransmit_mult: u32,
    /// Time from one full exchange to the next, in a pool of up to 32.
    pub push_pull_interval: Duration,
    /// How long one exchange over a stream may take.
    pub stream_timeout: Duration,
    /// How long the name of a dead member is kept from another address.
    pub dead_reclaim: Duration,
    /// How long a member that was forgotten cannot come back by hearsay.
    pub tombstone: Duration,

    /// Largest packet sent, in bytes.
    pub packet_max: usize,
    /// Whether packets and streams are compressed if that makes them shorter.
    pub compression: bool,
    /// Whether everything received must be encrypted, when there is a keyring.
    pub verify_incoming: bool,
    /// Whether everything sent is encrypted, when there is a keyring.
    pub verify_outgoing: bool,

    /// Most members known at one time, the dead included.
    pub members_max: usize,
    /// Most messages of the membership protocol waiting to be spread.
    pub queue_max: usize,
    /// Most streams from others at one time.
    pub inbound_streams_max: usize,
}

impl Config {
    /// For members in one network.
    pub fn lan(name: impl Into<Arc<str>>, addr: SocketAddr) -> Self {
        Self {
            name: name.into(),
            addr,
            meta: Bytes::new(),
            versions: Versions::CURRENT,
            allowed_networks: None,
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_checks: 3,
            stream_ping: true,
            awareness_max: 8,
            suspicion_mult: 4,
            suspicion_max_mult: 6,
            gossip_interval: Duration::from_millis(200),
            gossip_nodes: 3,
            gossip_to_the_dead: Duration::from_secs(30),
            retransmit_mult: 4,
            push_pull_interval: Duration::from_secs(30),
            stream_timeout: Duration::from_secs(10),
            dead_reclaim: Duration::from_secs(30),
            tombstone: Duration::from_secs(600),
            packet_max: 1400,
            compression: true,
            verify_incoming: true,
            verify_outgoing: true,
            members_max: 100_000,
            queue_max: 8192,
            inbound_streams_max: 128,
        }
    }

    /// For members in networks far apart.
    pub fn wan(name: impl Into<Arc<str>>, addr: SocketAddr) -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            suspicion_mult: 6,
            gossip_interval: Duration::from_millis(500),
            gossip_to_the_dead: Duration::from_secs(60),
            push_pull_interval: Duration::from_secs(60),
            stream_timeout: Duration::from_secs(30),
            ..Self::lan(name, addr)
        }
    }

    /// For members on one machine: fast, and quick to suspect.
    pub fn local(name: impl Into<Arc<str>>, addr: SocketAddr) -> Self {
        Self {
            probe_interval: Duration::from_millis(100),
            probe_timeout: Duration::from_millis(100),
            suspicion_mult: 3,
            gossip_interval: Duration::from_millis(100),
            ..Self::lan(name, addr)
        }
    }
}
