//! Arguments and answers of every method, named as they travel.
//!
//! A message is one map. The fields of a method and those that all methods share ([`QueryOptions`],
//! [`QueryMeta`], [`WriteRequest`]) lie side by side in it, so they are two structs here: [`encode`] writes both into
//! one map, [`decode`] reads each from it, and each passes over what belongs to the other. Fields that a release does
//! not know are passed over in the same way; fields that it does not send are zero.

pub mod acl;
pub mod catalog;
pub mod config_entry;
pub mod coordinate;
pub mod intention;
pub mod internal;
pub mod kv;
pub mod operator;
mod options;
pub mod query;
pub mod session;
pub mod txn;

pub use options::{QueryMeta, QueryOptions, QuerySource, WriteRequest};

use consul_api::msgpack::{self, DecodeError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A method without arguments, an answer without content, or the absence of shared fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

#[derive(Serialize)]
struct SideBySide<'a, A, O> {
    #[serde(flatten)]
    own: &'a A,
    #[serde(flatten)]
    shared: &'a O,
}

/// One map with the fields of both structs, in byte order of their names.
///
/// Encoding fails only for lengths that no message can have; such a body is empty, which the receiver refuses.
pub fn encode<A: Serialize, O: Serialize>(own: &A, shared: &O) -> Vec<u8> {
    value(&SideBySide { own, shared })
}

/// A message that is not a map: a text, a truth value, a list. Fails as [`encode`] does.
pub fn value<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    msgpack::to_vec(value).unwrap_or_default()
}

/// Both parts of a map that fills `body`. Nil reads as a map without entries.
pub fn decode<A: DeserializeOwned, O: DeserializeOwned>(body: &[u8]) -> Result<(A, O), DecodeError> {
    Ok((msgpack::from_slice(body)?, msgpack::from_slice(body)?))
}

#[cfg(test)]
mod tests;
