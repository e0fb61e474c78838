//! One request, parsed as far as all endpoints need.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
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

/// How much of a body that is refused is read all the same.
const DISCARD_MAX: usize = 4 * 1024 * 1024;
/// Bodies of registrations and definitions are small; this leaves room for any real one.
const JSON_BODY_MAX: usize = 8 * 1024 * 1024;
