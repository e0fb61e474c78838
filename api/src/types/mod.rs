//! The data that clients, agents and snapshots share: one struct per concept, written once.
//!
//! JSON names and order are those of the HTTP API; the same structs are stored in snapshots and travel between
//! agents as MessagePack maps. Two conventions follow from serving all three:
//! * a field that JSON leaves out when empty uses `skip_serializing_if`; the binary codec writes such a field as nil;
//! * a value whose text and binary forms differ (durations, byte strings) is a newtype that asks the serializer
//!   whether it is human readable.

pub mod acl;
pub mod agent;
pub mod bytes;
pub mod catalog;
pub mod config_entry;
pub mod coordinate;
pub mod duration;
pub mod event;
pub mod health;
pub mod intention;
pub mod kv;
pub mod operator;
pub mod query;
pub mod request;
pub mod session;
pub mod time;
pub mod txn;

use std::collections::BTreeMap;

/// String pairs in key order (node meta, service meta, tagged node addresses).
pub type StringMap = BTreeMap<String, String>;

/// Predicates for `skip_serializing_if`: true where Go's `omitempty` leaves a field out.
pub(crate) mod omit {
    pub fn default<T: Default + PartialEq>(value: &T) -> bool {
        *value == T::default()
    }
}
