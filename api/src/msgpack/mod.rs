//! MessagePack as Consul agents speak it among themselves and as snapshots store it.
//!
//! The dialect predates the specification's string type: text and bytes share the "raw" family (`a0`-`bf`, `da`,
//! `db`), structs are maps by field name, nil stands for any zero value, and maps of structs are sorted so that equal
//! values have equal bytes. Generic MessagePack libraries write `d9` and `c4` headers, which old agents refuse, so
//! the format is written here.

mod de;
mod error;
mod read;
mod ser;
mod walk;

pub use de::Deserializer;
pub use error::{DecodeError, EncodeError};
pub use ser::{Serializer, encode_into, to_vec, to_vec_unsorted};
pub use walk::{Length, Walker, value_len};

use serde::de::Deserialize;

/// Values nested deeper are refused: no message of the protocol comes near it, and reading recurses.
pub const DEPTH_MAX: usize = 128;

/// Reads one value that fills `bytes` exactly.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, DecodeError> {
    let mut deserializer = Deserializer::new(bytes);
    let value = T::deserialize(&mut deserializer)?;
    match deserializer.rest() {
        [] => Ok(value),
        rest => Err(DecodeError::Trailing { bytes: rest.len() }),
    }
}

/// Reads the value at the front of `bytes` and moves `bytes` behind it. On an error `bytes` stays where it was.
pub fn from_front<'de, T: Deserialize<'de>>(bytes: &mut &'de [u8]) -> Result<T, DecodeError> {
    let mut deserializer = Deserializer::new(bytes);
    let value = T::deserialize(&mut deserializer)?;
    *bytes = deserializer.rest();
    Ok(value)
}

/// Checks that a whole value lies at the front of `bytes`, and moves `bytes` behind it.
pub fn skip_value<'de>(bytes: &mut &'de [u8]) -> Result<&'de [u8], DecodeError> {
    match value_len(bytes)? {
        Length::Complete(len) => {
            let (value, rest) = bytes.split_at_checked(len).ok_or(DecodeError::Truncated)?;
            *bytes = rest;
            Ok(value)
        }
        Length::AtLeast(_) => Err(DecodeError::Truncated),
    }
}

#[cfg(test)]
mod tests;
