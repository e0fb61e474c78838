//! Bodies that are not MessagePack themselves travel as one raw value.

use bytes::Bytes;
use consul_api::msgpack::{DecodeError, Length, value_len};

/// Starts a raw value of `len` bytes. Lengths above the format's 4 GiB do not occur: messages are limited to less.
pub(super) fn put_raw_head(out: &mut Vec<u8>, len: usize) {
    if let (Ok(short), true) = (u8::try_from(len), len < 32) {
        out.push(0xa0 | short);
    } else if let Ok(len) = u16::try_from(len) {
        out.push(0xda);
        out.extend_from_slice(&len.to_be_bytes());
    } else {
        out.push(0xdb);
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}

/// The bytes in front of `len` bytes that make these one value.
pub fn raw_head(len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(5);
    put_raw_head(&mut out, len);
    out
}

/// `bytes` as one value.
pub fn wrap_raw(bytes: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(bytes.len() + 5);
    put_raw_head(&mut out, bytes.len());
    out.extend_from_slice(bytes);
    out.into()
}

/// What [`wrap_raw`] was given, without copying it.
pub fn unwrap_raw(body: &Bytes) -> Result<Bytes, DecodeError> {
    let found = body.first().copied().ok_or(DecodeError::Truncated)?;
    let head = match found {
        0xa0..=0xbf => 1,
        0xc4 | 0xd9 => 2,
        0xc5 | 0xda => 3,
        0xc6 | 0xdb => 5,
        _ => return Err(DecodeError::Unexpected { expected: "bytes", found }),
    };
    match value_len(body)? {
        Length::Complete(len) if len == body.len() => Ok(body.slice(head..)),
        Length::Complete(len) => Err(DecodeError::Trailing { bytes: body.len() - len }),
        Length::AtLeast(_) => Err(DecodeError::Truncated),
    }
}
