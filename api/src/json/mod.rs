//! JSON with the habits of Go's `encoding/json`, on which clients of the HTTP API have come to rely.
//!
//! Reading is lenient where Go is (letter case of field names, bytes after the first value, broken UTF-8) and strict
//! where Consul asks Go to be (unknown fields). Writing escapes what Go escapes. Plain `serde_json` does neither, and
//! patching its output in a second pass would cost more than formatting it right at once.

mod de;
mod error;
mod parse;
mod ser;

pub use de::Unknown;
pub use error::DecodeError;
pub use ser::{to_string, to_vec, to_vec_indented, to_vec_pretty, to_writer, to_writer_pretty};

use serde::de::DeserializeOwned;

/// Reads the first JSON value of `bytes`; whatever follows it is not looked at.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], unknown: Unknown) -> Result<T, DecodeError> {
    let (document, _) = parse::parse(bytes)?;
    de::deserialize(&document, unknown)
}

/// Like [`from_slice`], but anything except white space after the value is an error.
pub fn from_slice_whole<T: DeserializeOwned>(bytes: &[u8], unknown: Unknown) -> Result<T, DecodeError> {
    let (document, rest) = parse::parse(bytes)?;
    parse::expect_end(rest)?;
    de::deserialize(&document, unknown)
}

/// [`from_slice`] for text.
pub fn from_str<T: DeserializeOwned>(text: &str, unknown: Unknown) -> Result<T, DecodeError> {
    from_slice(text.as_bytes(), unknown)
}
