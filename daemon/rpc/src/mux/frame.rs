//! Frame headers.

use thiserror::Error;

/// Bytes of every header.
pub const HEADER_LEN: usize = 12;

const VERSION: u8 = 0;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes of a stream follow the header.
    Data,
    /// The length is what may be sent in addition.
    WindowUpdate,
    /// The length is a number that the answer repeats.
    Ping,
    /// The length says why the session ends.
    GoAway,
}

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(pub u16);

impl Flags {
    pub const NONE: Self = Self(0);
    /// Opens a stream; asks, in a ping.
    pub const SYN: Self = Self(1);
    /// Accepts a stream; answers, in a ping.
    pub const ACK: Self = Self(2);
    /// The sender sends no more on the stream.
    pub const FIN: Self = Self(4);
    /// The stream is gone.
    pub const RST: Self = Self(8);

    pub fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    pub fn with(self, flag: Self) -> Self {
        Self(self.0 | flag.0)
    }
}

/// A header, without the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub flags: Flags,
    /// 0 for the session itself.
    pub stream: u32,
    /// Depends on the kind.
    pub len: u32,
}

/// Why bytes are no frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Only one version exists.
    #[error("unknown version {0} of the multiplexing protocol")]
    Version(u8),
    /// There are four kinds.
    #[error("unknown frame type {0}")]
    Kind(u8),
}

impl Header {
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let kind = match self.kind {
            Kind::Data => 0,
            Kind::WindowUpdate => 1,
            Kind::Ping => 2,
            Kind::GoAway => 3,
        };
        let [f0, f1] = self.flags.0.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let [l0, l1, l2, l3] = self.len.to_be_bytes();
        [VERSION, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3]
    }

    pub fn decode(bytes: [u8; HEADER_LEN]) -> Result<Self, FrameError> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            other => return Err(FrameError::Kind(other)),
        };
        Ok(Self {
            kind,
            flags: Flags(u16::from_be_bytes([f0, f1])),
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
            len: u32::from_be_bytes([l0, l1, l2, l3]),
        })
    }
}
