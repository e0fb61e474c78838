//! One request, parsed as far as all endpoints need.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::failure::Failure;
use super::params::Params;
use super::request_body::RequestBody;

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Ip(IpAddr, u16),
    Unix,
}

pub struct Request {
    pub method: Method,
    /// What follows the route's prefix, decoded. Empty on exact routes.
    pub rest: Box<[u8]>,
    pub params: Params,
    pub headers: HeaderMap,
    pub body: RequestBody,
    pub peer: Peer,
    /// How old an answer may be if the request does not say how fresh it must be.
    pub max_stale_default: Option<Duration>,
    /// Indented JSON was asked for.
    pub pretty: bool,
}

impl Request {
    /// The part after the route's prefix as text, invalid UTF-8 replaced.
    pub fn rest_text(&self) -> String {
        String::from_utf8_lossy(&self.rest).into_owned()
    }

    /// The token: parameter, then header, then bearer credentials.
    pub fn token(&self) -> Option<&str> {
        if let Some(token) = self.params.non_empty("token") {
            return Some(token);
        }
        let header = self.headers.get("x-consul-token").and_then(|value| value.to_str().ok());
        if let Some(token) = header.filter(|token| !token.is_empty()) {
            return Some(token);
        }
        let authorization = self.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
        let mut words = authorization.split_whitespace();
        let scheme = words.next()?;
        words.next().filter(|_| scheme.eq_ignore_ascii_case("bearer"))
    }

    /// Address of the caller for `near=_ip`: the first forwarded one if it parses, else the peer's.
    pub fn source_ip(&self) -> Option<IpAddr> {
        let forwarded = self.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
        let first =
            forwarded.and_then(|list| list.split(',').next()).and_then(|text| text.trim().parse().ok());
        first.or(match self.peer {
            Peer::Ip(ip, _) => Some(ip),
            Peer::Unix => None,
        })
    }

    /// Declared body length, if any.
    pub fn content_length(&self) -> Option<u64> {
        self.headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The whole body, if it has at most `max` bytes; `too_large` makes the refusal from the size that was seen.
    pub async fn read_body(
        &mut self,
        max: usize,
        too_large: impl Fn(u64) -> Failure,
    ) -> Result<Bytes, Failure> {
        if let Some(length) = self.content_length().filter(|length| *length > max as u64) {
            self.discard_body().await;
            return Err(too_large(length));
        }
        let limited = Limited::new(&mut self.body, max);
        match limited.collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                self.discard_body().await;
                Err(too_large(max as u64 + 1))
            }
            Err(_) => Err(Failure::bad_request("the request body ended early")),
        }
    }

    /// Reads on a while without keeping anything: a client that is still sending when the connection closes does not
    /// get to read the refusal.
    async fn discard_body(&mut self) {
        let mut left = DISCARD_MAX;
        while let Some(Ok(frame)) = self.body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }

    /// A JSON body for endpoints without a limit of their own.
    pub async fn read_json_body(&mut self) -> Result<Bytes, Failure> {
        self.read_body(JSON_BODY_MAX, |_| {
            Failure::too_large(format!("Request body too large, max size: {JSON_BODY_MAX} bytes."))
        })
        .await
    }
}

/// Copies the texts of a head out of the connection's read buffer. As long as they are part of it, the connection
/// needs a second one to notice that its client goes away, for as long as the answer takes.
///
/// To be called before the connection reads on.
pub fn detach<B>(request: &mut http::Request<B>) {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let values: usize = request.headers().values().map(HeaderValue::len).sum();
    let mut text = BytesMut::with_capacity(target + values);
    // Writing to memory does not fail, and what was valid stays so.
    let _ = write!(text, "{}", request.uri());
    if let Ok(uri) = Uri::from_maybe_shared(text.split().freeze()) {
        *request.uri_mut() = uri;
    }
    for value in request.headers_mut().values_mut() {
        text.extend_from_slice(value.as_bytes());
        if let Ok(copy) = HeaderValue::from_maybe_shared(text.split().freeze()) {
            *value = copy;
        }
    }
}

/// How much of a body that is refused is read all the same.
const DISCARD_MAX: usize = 4 * 1024 * 1024;
/// Bodies of registrations and definitions are small; this leaves room for any real one.
const JSON_BODY_MAX: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detached_head_says_the_same() {
        for target in ["/v1/kv/a%20b?raw&index=1", "http://host:80/x?y", "/", "*"] {
            let mut head = http::Request::new(());
            *head.uri_mut() = target.parse().unwrap();
            head.headers_mut().append("x-a", HeaderValue::from_bytes(b"\xe4 text").unwrap());
            head.headers_mut().append("x-a", HeaderValue::from_static(""));
            head.headers_mut().append("host", HeaderValue::from_static("h"));
            let (uri, headers) = (head.uri().clone(), head.headers().clone());
            detach(&mut head);
            assert_eq!((head.uri(), head.headers()), (&uri, &headers));
        }
    }
}
