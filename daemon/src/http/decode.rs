//! JSON bodies.

use consul_api::json::{self, Unknown};
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// Start of the refusal on most endpoints.
pub const REQUEST_DECODE_FAILED: &str = "Request decode failed: ";

/// The body as `T`; unknown fields are refused. The text begins with `prefix`.
pub fn strict<T: DeserializeOwned>(body: &[u8], prefix: &str) -> Result<T, Failure> {
    decode(body, prefix, Unknown::Reject)
}

/// The same, but unknown fields are ignored.
pub fn lenient<T: DeserializeOwned>(body: &[u8], prefix: &str) -> Result<T, Failure> {
    decode(body, prefix, Unknown::Ignore)
}

fn decode<T: DeserializeOwned>(body: &[u8], prefix: &str, unknown: Unknown) -> Result<T, Failure> {
    json::from_slice(body, unknown).map_err(|error| Failure::bad_request(format!("{prefix}{error}")))
}
