//! Headers of requests and responses.

use consul_api::msgpack;
use serde::{Deserialize, Serialize};

/// Names the method of a request. Fields are in the order of the protocol's array form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestHeader {
    /// Service and method with a dot between them.
    pub service_method: String,
    /// Chosen by the caller; comes back in the response.
    pub seq: u64,
}

/// Tells which request is answered and whether it failed. Fields are in the order of the protocol's array form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResponseHeader {
    /// As in the request.
    pub service_method: String,
    /// As in the request.
    pub seq: u64,
    /// Empty if the call succeeded.
    pub error: String,
}

/// Encodes a request's header, with room for a body of `body_len` bytes behind it.
pub fn request_head(method: &str, seq: u64, body_len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(method.len() + 40 + body_len);
    out.push(0x82);
    put_raw(&mut out, b"Seq");
    put_unsigned(&mut out, seq);
    put_raw(&mut out, b"ServiceMethod");
    put_raw(&mut out, method.as_bytes());
    out
}

/// Encodes a response's header, with room for a body of `body_len` bytes behind it.
pub fn response_head(method: &str, seq: u64, error: &str, body_len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(method.len() + error.len() + 48 + body_len);
    out.push(0x83);
    put_raw(&mut out, b"Error");
    put_raw(&mut out, error.as_bytes());
    put_raw(&mut out, b"Seq");
    put_unsigned(&mut out, seq);
    put_raw(&mut out, b"ServiceMethod");
    put_raw(&mut out, method.as_bytes());
    out
}

fn put_raw(out: &mut Vec<u8>, bytes: &[u8]) {
    super::raw::put_raw_head(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_unsigned(out: &mut Vec<u8>, number: u64) {
    // A number always has a form, so nothing can fail here that would leave a partial value behind.
    let written = msgpack::encode_into(out, &number);
    debug_assert!(written.is_ok());
}
