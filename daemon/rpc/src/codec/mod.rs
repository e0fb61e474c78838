//! Requests and responses as bytes: a header and a body, each exactly one MessagePack value, one after the other.
//!
//! Bodies stay encoded here. Where a message ends is found while it arrives, and what a peer claims about lengths
//! never decides how much memory is taken.

mod error;
mod header;
mod raw;
mod reader;

pub use error::CodecError;
pub use header::{RequestHeader, ResponseHeader, request_head, response_head};
pub use raw::{raw_head, unwrap_raw, wrap_raw};
pub use reader::{MessageReader, Request, Response, Sizes};

/// A body that holds nothing: an empty struct.
pub const EMPTY_BODY: &[u8] = &[0x80];

#[cfg(test)]
mod tests;
