//! Whom a query is for.

use std::collections::BTreeMap;

use consul_api::msgpack;
use consul_api::types::bytes::Blob;
use regex::RegexBuilder;
use serde::{Deserialize, Serialize};

use super::tags::Tags;

/// First byte of a filter by name.
const NODES: u8 = 0;
/// First byte of a filter by tag.
const TAG: u8 = 1;

/// Most memory one compiled expression may take. It came in a packet, so its text is short; its meaning may not be.
const REGEX_SIZE_MAX: usize = 1 << 20;

/// Filters of one query that are looked at. A query with more is for nobody here.
const FILTERS_MAX: usize = 64;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct TagFilter {
    tag: String,
    expr: String,
}

/// Whom a query is for; both empty: everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// Members by name.
    pub nodes: Vec<String>,
    /// Tags and the regular expressions that their values must match somewhere.
    pub tags: BTreeMap<String, String>,
}

impl Audience {
    /// The filters as they go with a query.
    ///
    /// # Errors
    /// A name is longer than the format can say.
    pub fn encode(&self) -> Result<Option<Vec<Blob>>, msgpack::EncodeError> {
        let mut filters = Vec::new();
        if !self.nodes.is_empty() {
            filters.push(encode_one(NODES, &self.nodes)?);
        }
        for (tag, expr) in &self.tags {
            filters.push(encode_one(TAG, &TagFilter { tag: tag.clone(), expr: expr.clone() })?);
        }
        Ok(if filters.is_empty() { None } else { Some(filters) })
    }
}

fn encode_one<T: Serialize>(kind: u8, body: &T) -> Result<Blob, msgpack::EncodeError> {
    let mut filter = vec![kind];
    msgpack::encode_into(&mut filter, body)?;
    Ok(filter.into())
}

/// Whether all filters let a query through to the member of this name and these tags. One that we do not understand
/// lets nothing through: an answer from the wrong member is worse than none.
pub fn pass(filters: &[Blob], name: &str, tags: &Tags) -> bool {
    filters.len() <= FILTERS_MAX && filters.iter().all(|filter| passes(filter.as_slice(), name, tags))
}

fn passes(filter: &[u8], name: &str, tags: &Tags) -> bool {
    match filter {
        [NODES, body @ ..] => msgpack::from_slice::<Vec<String>>(body)
            .is_ok_and(|nodes| nodes.iter().any(|listed| listed == name)),
        [TAG, body @ ..] => {
            let Ok(filter) = msgpack::from_slice::<TagFilter>(body) else { return false };
            let value = tags.get(&filter.tag).map_or("", String::as_str);
            RegexBuilder::new(&filter.expr)
                .size_limit(REGEX_SIZE_MAX)
                .build()
                .is_ok_and(|expression| expression.is_match(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lets_through(nodes: &[&str], tags: &[(&str, &str)]) -> bool {
        let audience = Audience {
            nodes: nodes.iter().map(ToString::to_string).collect(),
            tags: tags.iter().map(|(tag, expr)| (tag.to_string(), expr.to_string())).collect(),
        };
        let own = Tags::from([("role".to_owned(), "consul".to_owned()), ("dc".to_owned(), "dc1".to_owned())]);
        pass(&audience.encode().unwrap().unwrap_or_default(), "me", &own)
    }

    #[test]
    fn all_filters_must_match() {
        assert!(lets_through(&[], &[]));
        assert!(lets_through(&["you", "me"], &[]));
        assert!(!lets_through(&["you", "m"], &[]));
        assert!(lets_through(&["me"], &[("role", "^cons"), ("dc", "1")]));
        assert!(!lets_through(&["me"], &[("role", "^cons"), ("dc", "^1")]));
        assert!(!lets_through(&[], &[("missing", ".")]));
        assert!(lets_through(&[], &[("missing", "^$")]));
    }

    #[test]
    fn what_is_not_understood_lets_nothing_through() {
        assert!(!lets_through(&[], &[("role", "(")]));
        assert!(!lets_through(&[], &[("role", r"(\w{100}){100}{100}")]));
        for filter in [&b""[..], b"\x00", b"\x01\x81", b"\x02\x90"] {
            assert!(!pass(&[filter.into()], "me", &Tags::new()), "{filter:?}");
        }
    }
}
