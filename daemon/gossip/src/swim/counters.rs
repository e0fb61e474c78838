//! What went by and what was thrown away.

use std::fmt;
use std::net::SocketAddr;

/// Why something received was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum DropReason {
    /// Empty, truncated or not of the format.
    Malformed,
    UnknownType,
    Checksum,
    /// No key opens it, or it is not encrypted and had to be.
    Decrypt,
    /// It carries a label; we have none.
    Label,
    /// Larger than the limit, also when decompressed.
    TooLarge,
    /// Nested deeper than any sender does.
    TooDeep,
    /// A ping for another name.
    NotForUs,
    /// An answer nobody waits for: late, repeated or forged.
    Unexpected,
    /// About a member whose name, address or versions cannot be.
    BadMember,
    /// The layer above, or the list of networks, does not want the member.
    Refused,
    /// More members or streams than the limit.
    Full,
}

impl DropReason {
    /// All reasons, in the order of [`Counters::dropped`].
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::UnknownType,
        Self::Checksum,
        Self::Decrypt,
        Self::Label,
        Self::TooLarge,
        Self::TooDeep,
        Self::NotForUs,
        Self::Unexpected,
        Self::BadMember,
        Self::Refused,
        Self::Full,
    ];

    /// For metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownType => "unknown type",
            Self::Checksum => "wrong checksum",
            Self::Decrypt => "not decryptable",
            Self::Label => "foreign label",
            Self::TooLarge => "too large",
            Self::TooDeep => "nested too deep",
            Self::NotForUs => "for another node",
            Self::Unexpected => "unexpected answer",
            Self::BadMember => "invalid member",
            Self::Refused => "unwanted member",
            Self::Full => "limit reached",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Totals since the start. Only ever grow.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    pub packets_in: u64,
    pub packets_out: u64,
    /// Bytes of packets.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub streams_in: u64,
    pub streams_out: u64,
    pub stream_bytes_in: u64,
    pub stream_bytes_out: u64,
    pub probes: u64,
    /// Probes without any answer.
    pub probes_failed: u64,
    /// Probes that only a stream answered: packets do not pass.
    pub stream_only_answers: u64,
    /// Suspicions that ran out: members that this node declared dead.
    pub suspicions_expired: u64,
    /// Times this node had to contradict what was said of it.
    pub refutations: u64,
    /// Times a pause of the whole process was noticed.
    pub pauses: u64,
    dropped: [u64; DropReason::ALL.len()],
    /// The latest of the dropped.
    pub last_drop: Option<(SocketAddr, DropReason)>,
}

impl Counters {
    /// How often something was dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or_default()
    }

    /// How often something was dropped.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    pub(crate) fn count_drop(&mut self, from: SocketAddr, reason: DropReason) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count += 1;
        }
        self.last_drop = Some((from, reason));
    }
}
