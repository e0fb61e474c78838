//! Answers, and how they become bytes.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

pub use super::body::{Body, BodyStream};
use super::failure::Failure;
use super::request::Request;
use crate::rpc::ReadMeta;

pub enum Content {
    Empty,
    Full(Bytes),
    Stream(BodyStream),
}

/// What an endpoint answers.
pub struct Reply {
    pub status: StatusCode,
    pub content_type: Option<&'static str>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub content: Content,
}

pub const JSON: &str = "application/json";
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Which of the read headers an endpoint sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaHeaders {
    /// Index, known leader, last contact.
    Index,
    /// These and the consistency that was in force.
    IndexAndConsistency,
}

impl Reply {
    /// 200 without a body.
    pub fn empty() -> Self {
        Self { status: StatusCode::OK, content_type: None, headers: Vec::new(), content: Content::Empty }
    }

    pub fn status(status: StatusCode) -> Self {
        Self { status, ..Self::empty() }
    }

    /// 200 with `value` as JSON, indented if the request asked for that.
    pub fn json<T: Serialize + ?Sized>(request: &Request, value: &T) -> Result<Self, Failure> {
        let mut bytes = if request.pretty {
            consul_api::json::to_vec_pretty(value)
        } else {
            consul_api::json::to_vec(value)
        }
        .map_err(|error| Failure::internal(format!("could not encode the answer: {error}")))?;
        if request.pretty {
            bytes.push(b'\n');
        }
        Ok(Self::bytes(JSON, bytes.into()))
    }

    pub fn bytes(content_type: &'static str, bytes: Bytes) -> Self {
        Self { content_type: Some(content_type), content: Content::Full(bytes), ..Self::empty() }
    }

    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self { status, ..Self::bytes(TEXT, text.into()) }
    }

    pub fn stream(content_type: Option<&'static str>, stream: BodyStream) -> Self {
        Self { content_type, content: Content::Stream(stream), ..Self::empty() }
    }

    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub fn with_header(mut self, name: &'static str, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// Adds the headers that say how fresh a read is.
    pub fn with_meta(mut self, meta: &ReadMeta, which: MetaHeaders) -> Self {
        self.headers.reserve(6);
        let mut put = |name, value| self.headers.push((HeaderName::from_static(name), value));
        put("x-consul-index", HeaderValue::from(meta.index.max(1)));
        let known = if meta.known_leader { "true" } else { "false" };
        put("x-consul-knownleader", HeaderValue::from_static(known));
        put("x-consul-lastcontact", HeaderValue::from(meta.last_contact.as_millis() as u64));
        put("x-consul-query-backend", HeaderValue::from_static("blocking-query"));
        if which == MetaHeaders::IndexAndConsistency {
            put("x-consul-effective-consistency", HeaderValue::from_static(meta.consistency.as_str()));
        }
        if meta.filtered_by_acls {
            put("x-consul-results-filtered-by-acls", HeaderValue::from_static("true"));
        }
        self.with_cache(meta)
    }

    /// Adds the headers that say how the agent's cache took part.
    pub fn with_cache(self, meta: &ReadMeta) -> Self {
        match &meta.cache {
            None => self,
            Some(cache) if cache.hit => self
                .with_header("x-cache", HeaderValue::from_static("HIT"))
                .with_header("age", HeaderValue::from(cache.age.as_secs())),
            Some(_) => self.with_header("x-cache", HeaderValue::from_static("MISS")),
        }
    }

    /// Adds the two headers that tell of the leader, for reads whose index means nothing.
    pub fn with_leader_meta(self, meta: &ReadMeta) -> Self {
        let known = if meta.known_leader { "true" } else { "false" };
        self.with_header("x-consul-knownleader", HeaderValue::from_static(known))
            .with_header("x-consul-lastcontact", HeaderValue::from(meta.last_contact.as_millis() as u64))
    }

    pub fn from_failure(failure: Failure) -> Self {
        let reply = if failure.text.is_empty() {
            Self::status(failure.status)
        } else {
            Self::text(failure.status, failure.text)
        };
        match failure.retry_after {
            Some(seconds) => reply.with_header("retry-after", HeaderValue::from(seconds)),
            None => reply,
        }
    }

    /// Compresses a whole body with gzip. Streams go out as they are: a log that is followed must arrive line by line
    /// and not when a compressor sees fit, and an archive is compressed already.
    pub fn compress(&mut self) {
        self.content = match std::mem::replace(&mut self.content, Content::Empty) {
            Content::Full(bytes) if !bytes.is_empty() => match gzip(&bytes) {
                Ok(packed) => Content::Full(packed),
                Err(_) => {
                    self.content = Content::Full(bytes);
                    return;
                }
            },
            other => {
                self.content = other;
                return;
            }
        };
        self.headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }

    pub fn into_response(self) -> Response<Body> {
        let body = match self.content {
            Content::Empty => Body::Whole(None),
            Content::Full(bytes) => Body::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Content::Stream(stream) => Body::Stream(stream),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(self.headers.len() + 1);
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response
    }
}

/// Does the client take gzip? It must be listed, and not with a weight of zero. A wildcard does not count.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let Some(list) = headers.get(http::header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    list.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
        is_gzip && weight.is_some_and(|weight| weight > 0.0)
    })
}

fn gzip(bytes: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2 + 64), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_really_accepted() {
        for (value, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("GZIP", true),
            ("gzip;q=0", false),
            ("*", false),
            ("deflate", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            assert_eq!(accepts_gzip(&headers), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
