//! Compressed messages: LZW with 8-bit literals, least significant bit first.

use serde::{Deserialize, Serialize};
use weezl::{BitOrder, LzwStatus};

use super::message::{encode, front};
use super::{Raw, kind};

const LITERAL_BITS: u8 = 8;
const LZW: u8 = 0;

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Compressed<'a> {
    algo: u8,
    #[serde(borrow)]
    buf: Raw<'a>,
}

/// Why a message cannot be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    #[error("cannot decompress unknown algorithm {0}")]
    Algorithm(u8),
    #[error("compressed message is damaged")]
    Damaged,
    #[error("decompressed message is larger than limit ({limit})")]
    TooLarge { limit: usize },
}

/// Compresses a message into another one, type byte included.
pub fn compress(message: &[u8]) -> Option<Vec<u8>> {
    let buf = weezl::encode::Encoder::new(BitOrder::Lsb, LITERAL_BITS).encode(message).ok()?;
    Some(encode(kind::COMPRESS, &Compressed { algo: LZW, buf: Raw(&buf) }))
}

/// Compresses if that makes a message shorter.
pub fn compress_if_shorter(message: Vec<u8>) -> Vec<u8> {
    // The frame alone takes 14 bytes, and so little text repeats little.
    const WORTH_TRYING: usize = 96;
    if message.len() < WORTH_TRYING {
        return message;
    }
    match compress(&message) {
        Some(compressed) if compressed.len() < message.len() => compressed,
        _ => message,
    }
}

/// Undoes [`compress`], from the bytes behind the type. Never holds more than `limit` bytes.
pub fn expand(body: &[u8], limit: usize) -> Result<Vec<u8>, ExpandError> {
    let Compressed { algo, buf } = front(body).map_err(|_| ExpandError::Damaged)?;
    if algo != LZW {
        return Err(ExpandError::Algorithm(algo));
    }
    expand_lzw(buf.0, limit)
}

fn expand_lzw(mut input: &[u8], limit: usize) -> Result<Vec<u8>, ExpandError> {
    let mut decoder = weezl::decode::Decoder::new(BitOrder::Lsb, LITERAL_BITS);
    let mut out = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let result = decoder.decode_bytes(input, &mut chunk);
        input = input.get(result.consumed_in..).unwrap_or_default();
        out.extend_from_slice(chunk.get(..result.consumed_out).unwrap_or_default());
        if out.len() > limit {
            return Err(ExpandError::TooLarge { limit });
        }
        match result.status {
            Ok(LzwStatus::Done) => return Ok(out),
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress) | Err(_) => return Err(ExpandError::Damaged),
        }
    }
}
