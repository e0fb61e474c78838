//! Tags: what a member says about itself, a small map of text to text that travels as its description.

use std::collections::BTreeMap;

use bytes::Bytes;
use consul_api::msgpack;
use thiserror::Error;

use crate::node::META_MAX;

/// Names and values. Sorted, so that equal tags have equal bytes.
pub type Tags = BTreeMap<String, String>;

/// First byte of a description that is a map of tags.
const TAGS: u8 = 0xff;

/// The tags do not fit into a description.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("Encoded length of tags exceeds limit of {META_MAX} bytes")] // users know this text
pub struct TagsTooLong;

/// The description that carries `tags`.
///
/// # Errors
/// They are longer than a description may be.
pub fn encode(tags: &Tags) -> Result<Bytes, TagsTooLong> {
    let mut meta = vec![TAGS];
    msgpack::encode_into(&mut meta, tags).map_err(|_| TagsTooLong)?;
    if meta.len() > META_MAX { Err(TagsTooLong) } else { Ok(meta.into()) }
}

/// The tags in a description. Members of a time before tags send their role alone. An unreadable description has no
/// tags: the member is there all the same.
pub fn decode(meta: &[u8]) -> Tags {
    match meta {
        [] => Tags::new(),
        [TAGS, map @ ..] => msgpack::from_slice(map).unwrap_or_default(),
        role => Tags::from([("role".to_owned(), String::from_utf8_lossy(role).into_owned())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_survive_the_wire() {
        let tags =
            Tags::from([("role".to_owned(), "node".to_owned()), ("segment".to_owned(), String::new())]);
        let meta = encode(&tags).unwrap();
        assert_eq!(&meta[..], b"\xff\x82\xa4role\xa4node\xa7segment\xa0");
        assert_eq!(decode(&meta), tags);
    }

    #[test]
    fn tags_beyond_the_limit_are_refused_and_up_to_it_are_not() {
        let of = |len: usize| Tags::from([("k".to_owned(), "v".repeat(len))]);
        assert_eq!(encode(&of(META_MAX - 7)).unwrap().len(), META_MAX);
        assert_eq!(
            encode(&of(META_MAX - 6)).unwrap_err().to_string(),
            "Encoded length of tags exceeds limit of 512 bytes"
        );
    }

    #[test]
    fn a_bare_description_is_a_role_and_garbage_is_nothing() {
        assert_eq!(decode(b"web"), Tags::from([("role".to_owned(), "web".to_owned())]));
        assert_eq!(decode(b"\xff\x81\xa1"), Tags::new());
        assert_eq!(decode(b""), Tags::new());
    }
}
