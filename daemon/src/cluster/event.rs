//! What a user event looks like inside a gossip message.
//!
//! Unlike the rest of gossip this map is written with the newer MessagePack families (`d9` for text, `c4` for bytes);
//! both are read.

use consul_api::msgpack;
use consul_api::types::bytes::Blob;
use consul_api::types::event::UserEvent;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Comes before the name of an event that users fired.
pub const PREFIX: &str = "consul:event:";
/// Fired by a new leader; no user event.
pub const NEW_LEADER: &str = "consul:new-leader";
/// The version of the payload that is written; later ones are read as far as they are understood.
pub const VERSION: i64 = 1;

/// Sorted by name, as the original writes them.
#[derive(Serialize, Deserialize)]
struct Payload {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "n", default)]
    name: String,
    #[serde(rename = "nf", default, skip_serializing_if = "String::is_empty")]
    node_filter: String,
    #[serde(rename = "p", default, skip_serializing_if = "Blob::is_empty")]
    payload: Blob,
    #[serde(rename = "sf", default, skip_serializing_if = "String::is_empty")]
    service_filter: String,
    #[serde(rename = "tf", default, skip_serializing_if = "String::is_empty")]
    tag_filter: String,
    #[serde(rename = "v", default)]
    version: i64,
}

#[derive(Debug, Error)]
#[error("the event cannot be encoded: {0}")]
pub struct EncodeError(#[from] rmp_serde::encode::Error);

/// The name and payload of the gossip event that carries `event`.
pub fn encode(event: &UserEvent) -> Result<(String, Vec<u8>), EncodeError> {
    let payload = Payload {
        id: event.id.clone(),
        name: event.name.clone(),
        node_filter: event.node_filter.clone(),
        payload: event.payload.clone(),
        service_filter: event.service_filter.clone(),
        tag_filter: event.tag_filter.clone(),
        version: VERSION,
    };
    Ok((format!("{PREFIX}{}", event.name), rmp_serde::to_vec_named(&payload)?))
}

/// The event that a gossip event's payload carries. `ltime` is the gossip event's.
pub fn decode(payload: &[u8], ltime: u64) -> Result<UserEvent, msgpack::DecodeError> {
    let payload: Payload = msgpack::from_slice(payload)?;
    Ok(UserEvent {
        id: payload.id,
        name: payload.name,
        payload: payload.payload,
        node_filter: payload.node_filter,
        service_filter: payload.service_filter,
        tag_filter: payload.tag_filter,
        version: payload.version,
        ltime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> UserEvent {
        UserEvent {
            id: "b5df8efc-a05a-46aa-2c7c-511cf5b1136a".into(),
            name: "deploy".into(),
            payload: Blob::from("1.2.3"),
            node_filter: ".*".into(),
            version: VERSION,
            ltime: 7,
            ..UserEvent::default()
        }
    }

    #[test]
    fn an_event_comes_back_as_it_was() {
        let (name, bytes) = encode(&event()).unwrap();
        assert_eq!(name, "consul:event:deploy");
        assert_eq!(bytes[..6], [0x85, 0xa2, b'I', b'D', 0xd9, 36], "text of 32 bytes and more is str8");
        assert_eq!(decode(&bytes, 7).unwrap(), event());
    }

    #[test]
    fn the_older_families_are_read_too() {
        let old = b"\x84\xa2ID\xa1x\xa1n\xa1e\xa1p\xa3abc\xa1v\x02";
        let event = decode(old, 1).unwrap();
        assert_eq!((event.name.as_str(), event.payload.as_slice(), event.version), ("e", &b"abc"[..], 2));
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [&b""[..], b"\x81", b"\xc1", b"\x81\xa2ID\x93"] {
            assert!(decode(bytes, 1).is_err(), "{bytes:?}");
        }
    }
}
