//! How data travels between instances.
//!
//! Other implementations share in a form that only they can read. The name of our form is part of what the key is
//! made of, so that a mixed fleet forms two groups instead of one that does not understand itself.

use std::io::{Read, Write};

use consul_template_functions::{Data, Dependency};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Source, TemplateSettings};

/// Raise it with every change of what data looks like.
const VERSION: u32 = 1;
const FORMAT: &str = "deflate+json";
/// Holds the place of data in a key that was only just locked.
pub const NO_DATA: &[u8] = b"__NO_DATA__";
/// A payload that would unpack to more than this is refused.
const UNPACKED_MAX: u64 = 64 << 20;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Out<'a> {
    version: u32,
    format: &'a str,
    data: &'a [(Dependency, Data)],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Head {
    version: u32,
    format: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct In {
    data: Vec<(Dependency, Data)>,
}

/// Why a payload cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("it is not understood: {0}")]
    Decode(#[from] serde_json::Error),
    #[error("it has version {0}, this program knows {VERSION}")]
    Version(u32),
}

/// The key for a template: equal for instances with the same source and destination, whatever their order.
pub fn key(prefix: &str, template: &TemplateSettings) -> String {
    let (source, contents) = match &template.source {
        Source::File(path) => (path.display().to_string(), ""),
        Source::Inline(text) => (String::new(), text.as_str()),
    };
    let destination =
        template.destination.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [source.as_str(), contents, &destination, FORMAT] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let id: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{id}/data", prefix.trim_end_matches('/'))
}

pub fn encode(data: &[(Dependency, Data)]) -> Result<Vec<u8>, PayloadError> {
    let json = serde_json::to_vec(&Out { version: VERSION, format: FORMAT, data })?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&json)?;
    Ok(encoder.finish()?)
}

pub fn decode(bytes: &[u8]) -> Result<Vec<(Dependency, Data)>, PayloadError> {
    let mut json = Vec::new();
    DeflateDecoder::new(bytes).take(UNPACKED_MAX + 1).read_to_end(&mut json)?;
    if json.len() as u64 > UNPACKED_MAX {
        return Err(std::io::Error::other("too large").into());
    }
    let head: Head = serde_json::from_slice(&json)?;
    if head.version != VERSION || head.format != FORMAT {
        return Err(PayloadError::Version(head.version));
    }
    Ok(serde_json::from_slice::<In>(&json)?.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<(Dependency, Data)> {
        let key = Dependency::key("a/b").unwrap().unwrap();
        let service = Dependency::service("web|any").unwrap().unwrap();
        let body = br#"[{"Node":{"Node":"n1","Address":"10.0.0.1"},"Service":{"ID":"web-1","Service":"web","Port":80},"Checks":[]}]"#;
        let instances = Data::from_answer(&service, body).unwrap();
        vec![(key, Data::file(b"\xff\x00value")), (service, instances)]
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let packed = encode(&data()).unwrap();
        assert_eq!(decode(&packed).unwrap(), data());
    }

    #[test]
    fn nonsense_and_other_versions_are_refused() {
        assert!(decode(NO_DATA).is_err() && decode(b"").is_err());
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(br#"{"Version":2,"Format":"deflate+json","Data":"other"}"#).unwrap();
        assert!(matches!(decode(&encoder.finish().unwrap()), Err(PayloadError::Version(2))));
    }
}
