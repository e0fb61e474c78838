//! Why a message was not read.

use std::io;

use consul_api::msgpack::DecodeError;
use thiserror::Error;

/// Why a message was not read. Whatever it is, the stream cannot be used any more.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The connection failed.
    #[error("could not read")]
    Io(#[from] io::Error),
    /// The stream ended within a message.
    #[error("unexpected EOF")]
    Truncated,
    /// A header or a body is larger than allowed.
    #[error("a message needs more than {max} bytes")]
    TooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// All messages that are on their way in need more memory than is set apart for them.
    #[error("too many bytes are waiting to be read")]
    Overloaded,
    /// The bytes are no MessagePack value, or the header is not one.
    #[error("malformed message")]
    Malformed(#[source] DecodeError),
}
