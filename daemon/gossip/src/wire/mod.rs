//! Messages as bytes: what they hold, how they are packed into packets and streams, and how that is undone without
//! trusting a single length in it.

pub mod compound;
pub mod compress;
pub mod message;
pub mod packet;
mod raw;
pub mod seal;
pub mod stream;

pub use raw::Raw;

/// The first byte of a message.
pub mod kind {
    pub const PING: u8 = 0;
    pub const INDIRECT_PING: u8 = 1;
    pub const ACK: u8 = 2;
    pub const SUSPECT: u8 = 3;
    pub const ALIVE: u8 = 4;
    pub const DEAD: u8 = 5;
    pub const PUSH_PULL: u8 = 6;
    pub const COMPOUND: u8 = 7;
    pub const USER: u8 = 8;
    pub const COMPRESS: u8 = 9;
    /// Streams only: encrypted packets have no type byte.
    pub const ENCRYPT: u8 = 10;
    pub const NACK: u8 = 11;
    pub const CHECKSUM: u8 = 12;
    pub const ERROR: u8 = 13;
    /// Announces the label of a pool, outside of everything else. Later releases only.
    pub const LABEL: u8 = 244;
}

/// Most bytes of one message in a stream, as it comes and decompressed.
pub const STREAM_MAX: usize = 20 << 20;

/// Most bytes that one packet may hold in total when decompressed.
pub const PACKET_PLAIN_MAX: usize = 1 << 20;
