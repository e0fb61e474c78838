//! HTTP checks: what a request looks like, which redirects are followed, and what the answer means.
//!
//! Every run opens its own connection and closes it: a check should notice that a service no longer accepts
//! connections, and idle connections to thousands of services would only cost memory.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use consul_api::types::health::Status;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::http_exchange::{self, Answer, Connection, HttpEnv};
use crate::capture::TailBuffer;
use crate::dial::DialError;
use crate::outcome::{Outcome, Trouble};
use crate::tls::{TlsError, TlsSettings};

const USER_AGENT: &str = "Consul Health Check";
const ACCEPT: &str = "text/plain, text/*, */*";

/// Requests in one run, the first included, before giving up on a chain of redirects.
const REQUESTS_MAX: usize = 10;

/// Headers that belong to the message's framing or to the connection: a definition cannot set them.
const NOT_SETTABLE: [HeaderName; 5] =
    [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TRAILER, header::CONNECTION];

/// Headers that must not travel to another host.
const SENSITIVE: [HeaderName; 3] = [header::AUTHORIZATION, header::WWW_AUTHENTICATE, header::COOKIE];

#[derive(Clone, PartialEq, Eq)]
pub struct HttpCheck {
    pub url: String,
    /// As typed; upper-cased when sent.
    pub method: String,
    /// Each value becomes a header line of its own.
    pub headers: Vec<(String, Vec<String>)>,
    pub body: Bytes,
    pub redirects: Redirects,
    pub tls: TlsSettings,
    pub timeout: Duration,
    pub output_max: usize,
}

impl std::fmt::Debug for HttpCheck {
    /// Headers and the URL's user part often carry credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCheck").field("url", &without_password(&self.url)).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    #[default]
    Follow,
    /// A redirect is an answer like any other, hence critical.
    Stop,
}

/// Why there is no answer; displays the text that follows `Get "URL": `.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("unsupported protocol scheme {0:?}")]
    Scheme(String),
    #[error("http: no Host in request URL")]
    NoHost,
    #[error("net/http: invalid header field name {0:?}")]
    HeaderName(String),
    #[error("net/http: invalid header field value {value:?} for key {name}")]
    HeaderValue { name: String, value: String },
    #[error("{} response missing Location header", .0.as_u16())]
    NoLocation(StatusCode),
    #[error("failed to parse Location header {0:?}")]
    BadLocation(String),
    #[error("stopped after {REQUESTS_MAX} redirects")]
    TooManyRedirects,
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("proxyconnect tcp: {0}")]
    Proxy(String),
    #[error("EOF")]
    Eof,
    #[error("{0}")]
    Transport(String),
    #[error("net/http: HTTP/1.x transport connection broken: malformed HTTP response")]
    Malformed,
    #[error("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")]
    Timeout,
}

/// One request of the chain.
#[derive(Clone)]
pub(super) struct Hop {
    /// The URL as error texts show it.
    pub shown: String,
    pub uri: Uri,
    pub method: Method,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl HttpCheck {
    pub async fn run(&self, env: &HttpEnv<'_>) -> Outcome {
        let deadline = Instant::now() + self.timeout;
        let mut hop = match self.first_hop() {
            Ok(hop) => hop,
            Err(text) => return Outcome::critical(text).because(Trouble::RequestFailed),
        };
        let answered = timeout_at(deadline, self.follow(env, &mut hop, deadline)).await;
        let mut answer = match answered.unwrap_or(Err(HttpError::Timeout)) {
            Ok(answer) => answer,
            // Whichever step noticed it: the user set one limit for all of them.
            Err(error) if Instant::now() >= deadline => {
                tracing::debug!(target: "agent", %error, "HTTP check ran into its timeout");
                return self.failed(&hop, &HttpError::Timeout);
            }
            Err(error) => return self.failed(&hop, &error),
        };
        let mut tail = TailBuffer::new(self.output_max);
        answer.read_body(&mut tail, deadline).await;
        let text = format!(
            "HTTP {} {}: {} Output: {}",
            self.method.to_ascii_uppercase(),
            without_password(&self.url),
            answer.status_line,
            tail.text()
        );
        Outcome::new(status_of(answer.status), text)
    }

    fn failed(&self, hop: &Hop, error: &HttpError) -> Outcome {
        let verb = verb_of(&self.method);
        let url = without_password(&hop.shown);
        Outcome::critical(format!("{verb} \"{url}\": {error}")).because(Trouble::RequestFailed)
    }

    fn first_hop(&self) -> Result<Hop, String> {
        let method = self.method.to_ascii_uppercase();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("net/http: invalid method {:?}", self.method))?;
        let verb = verb_of(&self.method);
        let prefixed = |error: HttpError| format!("{verb} \"{}\": {error}", without_password(&self.url));
        let uri = parse_url(&self.url)?.map_err(prefixed)?;
        let headers = self.header_map(&uri).map_err(prefixed)?;
        Ok(Hop { shown: self.url.clone(), uri, method, headers, body: self.body.clone() })
    }

    fn header_map(&self, uri: &Uri) -> Result<HeaderMap, HttpError> {
        let mut map = HeaderMap::new();
        for (name, values) in &self.headers {
            let key = HeaderName::try_from(name.as_str()).map_err(|_| HttpError::HeaderName(name.clone()))?;
            if key == header::HOST {
                if let Some(host) = values.first() {
                    map.insert(key, header_value(name, host)?);
                }
                continue;
            }
            if NOT_SETTABLE.contains(&key) {
                continue;
            }
            for value in values {
                map.append(&key, header_value(name, value)?);
            }
        }
        let mut default = |name: HeaderName, value: &'static str| {
            map.entry(name).or_insert(HeaderValue::from_static(value));
        };
        default(header::USER_AGENT, USER_AGENT);
        default(header::ACCEPT, ACCEPT);
        if !self.method.eq_ignore_ascii_case("HEAD") && !map.contains_key(header::RANGE) {
            map.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        }
        map.insert(header::CONNECTION, HeaderValue::from_static("close"));
        if let Some(credentials) = basic_credentials(uri) {
            map.entry(header::AUTHORIZATION).or_insert(credentials);
        }
        Ok(map)
    }

    /// Sends the request and those that redirects lead to; `hop` is left at the last one tried.
    async fn follow(&self, env: &HttpEnv<'_>, hop: &mut Hop, deadline: Instant) -> Result<Answer, HttpError> {
        let mut sent = 0;
        loop {
            check_scheme(&hop.uri)?;
            let connection = Connection::open(env, &self.tls, &hop.uri, deadline).await?;
            let answer = http_exchange::send(connection, hop).await?;
            sent += 1;
            let Some(location) = self.redirect_of(&answer)? else { return Ok(answer) };
            let next = next_hop(hop, answer.status, &location)?;
            if sent >= REQUESTS_MAX {
                hop.shown = location;
                return Err(HttpError::TooManyRedirects);
            }
            *hop = next;
        }
    }

    fn redirect_of(&self, answer: &Answer) -> Result<Option<String>, HttpError> {
        if self.redirects == Redirects::Stop {
            return Ok(None);
        }
        let must_have_location = match answer.status.as_u16() {
            301..=303 => true,
            307 | 308 => false,
            _ => return Ok(None),
        };
        match answer.headers.get(header::LOCATION) {
            Some(location) => Ok(Some(String::from_utf8_lossy(location.as_bytes()).into_owned())),
            None if must_have_location => Err(HttpError::NoLocation(answer.status)),
            None => Ok(None),
        }
    }
}

/// 2xx passes; 429 is what a service says that is alive but busy.
fn status_of(code: StatusCode) -> Status {
    match code.as_u16() {
        200..=299 => Status::Passing,
        429 => Status::Warning,
        _ => Status::Critical,
    }
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, HttpError> {
    HeaderValue::from_str(value)
        .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
        .map_err(|_| HttpError::HeaderValue { name: name.to_owned(), value: value.to_owned() })
}

/// The outer error is a whole text (the URL does not parse), the inner one follows the request's prefix.
fn parse_url(text: &str) -> Result<Result<Uri, HttpError>, String> {
    if let Ok(uri) = text.parse::<Uri>() {
        return Ok(check_scheme(&uri).map(|()| uri));
    }
    // Less strict than an HTTP request line: blanks are escaped, names become their ASCII form.
    match Url::parse(text) {
        Ok(url) if !url.has_host() => Ok(Err(HttpError::Scheme(url.scheme().to_owned()))),
        Ok(url) => {
            url.as_str().parse::<Uri>().map(Ok).map_err(|error| parse_failure(text, &error.to_string()))
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => Ok(Err(HttpError::Scheme(String::new()))),
        Err(url::ParseError::EmptyHost) => Ok(Err(HttpError::NoHost)),
        Err(error) => Err(parse_failure(text, &error.to_string())),
    }
}

fn parse_failure(text: &str, reason: &str) -> String {
    format!("parse {:?}: {reason}", without_password(text))
}

fn check_scheme(uri: &Uri) -> Result<(), HttpError> {
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_none_or(str::is_empty) => Err(HttpError::NoHost),
        Some("http" | "https") => Ok(()),
        other => Err(HttpError::Scheme(other.unwrap_or_default().to_owned())),
    }
}

/// The request a redirect asks for: all but 307 and 308 turn it into a GET without a body.
fn next_hop(last: &Hop, status: StatusCode, location: &str) -> Result<Hop, HttpError> {
    let bad = || HttpError::BadLocation(location.to_owned());
    let base = Url::parse(&last.uri.to_string()).map_err(|_| bad())?;
    let url = base.join(location).map_err(|_| bad())?;
    let uri: Uri = url.as_str().parse().map_err(|_| bad())?;
    let mut hop = Hop {
        shown: url.into(),
        uri,
        method: last.method.clone(),
        headers: last.headers.clone(),
        body: last.body.clone(),
    };
    if !matches!(status.as_u16(), 307 | 308) {
        hop.body = Bytes::new();
        if hop.method != Method::HEAD {
            hop.method = Method::GET;
        }
    }
    adapt_headers(&mut hop, last, Url::parse(location).is_ok());
    Ok(hop)
}

fn adapt_headers(hop: &mut Hop, last: &Hop, location_is_absolute: bool) {
    // A host name given by the definition says nothing about the site an absolute redirect leads to.
    if location_is_absolute {
        hop.headers.remove(header::HOST);
    }
    let (from, to) = (last.uri.host().unwrap_or_default(), hop.uri.host().unwrap_or_default());
    let same_site = to == from || to.strip_suffix(from).is_some_and(|rest| rest.ends_with('.'));
    if !same_site {
        for name in SENSITIVE {
            hop.headers.remove(name);
        }
    }
    if let Some(credentials) = basic_credentials(&hop.uri) {
        hop.headers.insert(header::AUTHORIZATION, credentials);
    }
    let downgrade = last.uri.scheme_str() == Some("https") && hop.uri.scheme_str() == Some("http");
    let referer = HeaderValue::from_str(&without_user(&last.uri.to_string()));
    match referer {
        Ok(referer) if !downgrade => drop(hop.headers.insert(header::REFERER, referer)),
        _ => drop(hop.headers.remove(header::REFERER)),
    }
}

fn basic_credentials(uri: &Uri) -> Option<HeaderValue> {
    let (user, _) = uri.authority()?.as_str().rsplit_once('@')?;
    let decoded: Vec<u8> = percent_decode_str(user).collect();
    // A user without a password still has the colon.
    let joined = if user.contains(':') { decoded } else { [decoded.as_slice(), b":"].concat() };
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(joined));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Start and end of the user part of a URL, without the `@`.
fn user_part(url: &str) -> Option<(usize, usize)> {
    let start = url.find("://")? + 3;
    let rest = url.get(start..)?;
    let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest.get(..authority_len)?.rfind('@')?;
    Some((start, start + at))
}

fn without_password(url: &str) -> String {
    let Some((start, end)) = user_part(url) else { return url.to_owned() };
    let (before, user, after) = (&url[..start], &url[start..end], &url[end..]);
    match user.split_once(':') {
        Some((name, _)) => format!("{before}{name}:***{after}"),
        None => url.to_owned(),
    }
}

fn without_user(url: &str) -> String {
    match user_part(url) {
        Some((start, end)) => format!("{}{}", &url[..start], &url[end + 1..]),
        None => url.to_owned(),
    }
}

/// How Go's client names the operation: `Get`, `Post`.
fn verb_of(method: &str) -> String {
    let mut verb = method.to_ascii_lowercase();
    if let Some(first) = verb.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    verb
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(url: &str) -> Hop {
        Hop {
            shown: url.to_owned(),
            uri: url.parse().unwrap(),
            method: Method::POST,
            headers: HeaderMap::from_iter([
                (header::HOST, HeaderValue::from_static("named.example")),
                (header::COOKIE, HeaderValue::from_static("secret")),
            ]),
            body: Bytes::from_static(b"abc"),
        }
    }

    #[test]
    fn passwords_are_hidden_and_users_kept() {
        assert_eq!(without_password("http://u:pw@h/x"), "http://u:***@h/x");
        assert_eq!(without_password("http://u@h/x@y"), "http://u@h/x@y");
        assert_eq!(without_user("http://u:pw@h/x"), "http://h/x");
        assert_eq!(without_password("nonsense"), "nonsense");
    }

    #[test]
    fn user_part_becomes_basic_credentials() {
        let value = basic_credentials(&"http://u:p%40w@h/".parse().unwrap()).unwrap();
        assert_eq!(value, "Basic dTpwQHc=");
        assert!(basic_credentials(&"http://h/".parse().unwrap()).is_none());
    }

    #[test]
    fn unusable_urls_are_worded_by_what_is_wrong() {
        for (url, text) in [
            ("foo", "unsupported protocol scheme \"\""),
            ("ftp://x/", "unsupported protocol scheme \"ftp\""),
            ("localhost:8080/health", "unsupported protocol scheme \"localhost\""),
            ("http://", "http: no Host in request URL"),
        ] {
            assert_eq!(parse_url(url).unwrap().unwrap_err().to_string(), text, "{url}");
        }
        assert!(parse_url("http://a b/").unwrap_err().starts_with("parse \"http://a b/\": "));
    }

    #[test]
    fn see_other_becomes_a_bodiless_get_without_secrets_for_strangers() {
        let next = next_hop(&hop("https://a.example/x"), StatusCode::FOUND, "http://b.example/y").unwrap();
        assert_eq!((next.method, next.body.len()), (Method::GET, 0));
        assert!(next.headers.is_empty(), "{:?}", next.headers);
    }

    #[test]
    fn temporary_redirect_on_the_same_site_keeps_everything() {
        let next = next_hop(&hop("http://a.example/x"), StatusCode::TEMPORARY_REDIRECT, "/y?z").unwrap();
        assert_eq!(next.uri, "http://a.example/y?z");
        assert_eq!((next.method, next.body.len()), (Method::POST, 3));
        assert_eq!(next.headers[header::HOST], "named.example");
        assert_eq!(next.headers[header::COOKIE], "secret");
        assert_eq!(next.headers[header::REFERER], "http://a.example/x");
    }

    #[test]
    fn verbs_are_capitalised() {
        assert_eq!(
            (verb_of("POST"), verb_of("get"), verb_of("")),
            ("Post".into(), "Get".into(), String::new())
        );
    }
}
