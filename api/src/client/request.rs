//! One request from its parameters to its decoded answer.

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Client;
use super::error::ClientError;
use super::options::{Answer, QueryMeta, QueryOptions, WriteOptions};
use super::secret::Secret;
use super::stream::ByteStream;
use super::transport::{self, Body};
use crate::json::{self, Unknown};

const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");
/// Error texts are read up to here.
const ERROR_BODY_MAX: usize = 1 << 20;

/// What must be escaped in a path. Slashes stay: keys contain them.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// What must be escaped in the value of a query parameter.
const QUERY: &AsciiSet =
    &PATH.add(b'&').add(b'+').add(b'=').add(b';').add(b'/').add(b':').add(b'@').add(b',').add(b'\'');

/// A request being put together. Sent by one of the methods that await the answer.
pub struct Request<'c> {
    client: &'c Client,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    token: Option<Secret>,
    headers: HeaderMap,
    body: Result<Body, ClientError>,
    /// Time for the whole exchange.
    limit: Option<Duration>,
}

impl<'c> Request<'c> {
    pub(super) fn new(client: &'c Client, method: Method, path: &str) -> Self {
        Self {
            client,
            method,
            path: utf8_percent_encode(path, PATH).to_string(),
            query: Vec::new(),
            token: None,
            headers: HeaderMap::new(),
            body: Ok(transport::full(Bytes::new())),
            limit: client.config().timeout,
        }
    }

    /// Appends one part of the path.
    pub fn segment(mut self, text: &str) -> Self {
        self.path.extend(utf8_percent_encode(text, PATH));
        self
    }

    /// Appends a part of the path that need not be UTF-8.
    pub fn segment_bytes(mut self, bytes: &[u8]) -> Self {
        self.path.extend(percent_encoding::percent_encode(bytes, PATH));
        self
    }

    pub fn param(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// A parameter that counts by being there.
    pub fn flag(self, name: &'static str, set: bool) -> Self {
        if set { self.param(name, "") } else { self }
    }

    /// A parameter that is left out when empty.
    pub fn optional(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.param(name, value) }
    }

    pub fn query(mut self, options: &QueryOptions) -> Self {
        options.append(&mut self.query);
        self.token = options.token.clone();
        if let Some(value) = options.cache_control().and_then(|text| HeaderValue::from_str(&text).ok()) {
            self.headers.insert(CACHE_CONTROL, value);
        }
        if options.is_blocking() {
            self.limit = Some(options.blocking_limit());
        }
        self
    }

    pub fn write(mut self, options: &WriteOptions) -> Self {
        options.append(&mut self.query);
        self.token = options.token.clone();
        self
    }

    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Ok(transport::full(body.into()));
        self
    }

    /// A body that is read while it is sent.
    pub fn reader(self, reader: impl std::io::Read + Send + 'static) -> Self {
        self.body(transport::from_reader(reader))
    }

    /// Uses another token than the client's.
    pub fn acting_as(mut self, token: Secret) -> Self {
        self.token = Some(token);
        self
    }

    pub(super) fn body(mut self, body: Body) -> Self {
        self.body = Ok(body);
        self
    }

    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = json::to_vec(body).map(|bytes| transport::full(bytes.into())).map_err(ClientError::from);
        self
    }

    /// For answers that stream as long as the caller listens.
    pub fn without_limit(mut self) -> Self {
        self.limit = None;
        self
    }

    fn path_and_query(&self) -> String {
        let config = self.client.config();
        let mut text = format!("{}{}", self.client.resolved().address.prefix(), self.path);
        let scope = [("ns", &config.namespace), ("partition", &config.partition)];
        let scope = scope.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let own = self.query.iter().map(|(name, value)| (*name, value.as_str()));
        for (place, (name, value)) in own.chain(scope).enumerate() {
            text.push(if place == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.extend(utf8_percent_encode(value, QUERY));
        }
        text
    }

    fn headers(&self) -> Result<HeaderMap, ClientError> {
        let (config, resolved) = (self.client.config(), self.client.resolved());
        let mut headers = self.headers.clone();
        let host = HeaderValue::from_str(resolved.address.host_header());
        headers.insert(HOST, host.map_err(|_| ClientError::Parameter("address"))?);
        if let Some(token) = self.token.as_ref().filter(|token| !token.is_empty()).or(resolved.token.as_ref())
        {
            headers.insert(TOKEN, sensitive(token.expose(), "token")?);
        }
        if let Some((user, password)) = &config.http_auth {
            let pair = format!("{user}:{}", password.expose());
            let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
            headers.insert(AUTHORIZATION, sensitive(&value, "user or password")?);
        }
        Ok(headers)
    }

    /// Sends; any status is an answer.
    async fn exchange(self) -> Result<Exchange, ClientError> {
        let headers = self.headers()?;
        let path = self.path_and_query();
        let describe = describe(&self.method, &self.client.resolved().address.base(), &path, self.client);
        let mut request = http::Request::new(self.body?);
        *request.method_mut() = self.method;
        *request.headers_mut() = headers;
        let sending = self.client.transport().send(request, &path, || describe.clone());
        let response = within(self.limit, &describe, sending).await?;
        let (parts, body) = response.into_parts();
        Ok(Exchange {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            describe,
            limit: self.limit,
            bytes_max: self.client.config().response_bytes_max,
        })
    }

    /// Sends; anything but success is an error.
    async fn accepted(self) -> Result<Exchange, ClientError> {
        let exchange = self.exchange().await?;
        if (200..300).contains(&exchange.status) {
            return Ok(exchange);
        }
        Err(exchange.into_error().await)
    }

    /// The body as it is.
    pub async fn fetch_bytes(self) -> Result<Answer<Bytes>, ClientError> {
        let exchange = self.accepted().await?;
        let meta = exchange.meta();
        Ok(Answer { value: exchange.collect().await?, meta })
    }

    pub async fn fetch_text(self) -> Result<String, ClientError> {
        let answer = self.fetch_bytes().await?;
        Ok(String::from_utf8_lossy(&answer.value).into_owned())
    }

    /// The body, decoded.
    pub async fn fetch<T: DeserializeOwned>(self) -> Result<Answer<T>, ClientError> {
        let answer = self.fetch_bytes().await?;
        Ok(Answer { value: json::from_slice(&answer.value, Unknown::Ignore)?, meta: answer.meta })
    }

    /// The decoded body without what was said about it.
    pub async fn fetch_value<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        self.fetch().await.map(|answer| answer.value)
    }

    /// Like [`Self::fetch_bytes`], but "not found" is an answer too.
    pub async fn find_bytes(self) -> Result<Answer<Option<Bytes>>, ClientError> {
        let exchange = self.exchange().await?;
        let meta = exchange.meta();
        match exchange.status {
            200..300 => Ok(Answer { value: Some(exchange.collect().await?), meta }),
            404 => {
                // Read to the end, so that the connection can be used again.
                exchange.collect().await?;
                Ok(Answer { value: None, meta })
            }
            _ => Err(exchange.into_error().await),
        }
    }

    /// Like [`Self::fetch`], but "not found" is an answer too.
    pub async fn find<T: DeserializeOwned>(self) -> Result<Answer<Option<T>>, ClientError> {
        let answer = self.find_bytes().await?;
        let value = answer.value.map(|bytes| json::from_slice(&bytes, Unknown::Ignore)).transpose()?;
        Ok(Answer { value, meta: answer.meta })
    }

    /// Decodes the body of a success or of `status`, which carries an answer as well.
    pub async fn fetch_also<T: DeserializeOwned>(self, status: u16) -> Result<Answer<T>, ClientError> {
        let exchange = self.exchange().await?;
        if exchange.status != status && !(200..300).contains(&exchange.status) {
            return Err(exchange.into_error().await);
        }
        let (meta, status) = (exchange.meta(), exchange.status);
        let body = exchange.collect().await?;
        match json::from_slice(&body, Unknown::Ignore) {
            Ok(value) => Ok(Answer { value, meta }),
            Err(error) if (200..300).contains(&status) => Err(error.into()),
            Err(_) => Err(ClientError::Status { status, body: String::from_utf8_lossy(&body).into_owned() }),
        }
    }

    /// For writes whose answer says nothing.
    pub async fn done(self) -> Result<(), ClientError> {
        self.fetch_bytes().await.map(|_| ())
    }

    /// The body piece by piece.
    pub async fn stream(self) -> Result<Answer<ByteStream>, ClientError> {
        let exchange = self.accepted().await?;
        let meta = exchange.meta();
        Ok(Answer { value: ByteStream::new(exchange.body, exchange.describe), meta })
    }
}

struct Exchange {
    status: u16,
    headers: HeaderMap,
    body: Body,
    describe: String,
    limit: Option<Duration>,
    bytes_max: usize,
}

impl Exchange {
    fn meta(&self) -> QueryMeta {
        QueryMeta::from_headers(&self.headers)
    }

    async fn collect(self) -> Result<Bytes, ClientError> {
        let Self { body, describe, limit, bytes_max, .. } = self;
        within(limit, &describe, collect(body, bytes_max, &describe)).await
    }

    async fn into_error(mut self) -> ClientError {
        self.bytes_max = self.bytes_max.min(ERROR_BODY_MAX);
        let status = self.status;
        match self.collect().await {
            Ok(body) => ClientError::Status { status, body: String::from_utf8_lossy(&body).into_owned() },
            Err(error) => error,
        }
    }
}

async fn collect(mut body: Body, bytes_max: usize, describe: &str) -> Result<Bytes, ClientError> {
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| transport::transport_error(describe.to_owned(), error.as_ref()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let so_far = rest.as_ref().map_or(first.len(), BytesMut::len);
        if so_far.saturating_add(chunk.len()) > bytes_max {
            return Err(ClientError::TooLarge(bytes_max));
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&chunk),
            None if first.is_empty() => first = chunk,
            None => rest.insert(BytesMut::from(&first[..])).extend_from_slice(&chunk),
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

async fn within<T>(
    limit: Option<Duration>,
    describe: &str,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let Some(limit) = limit else { return work.await };
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(ClientError::Timeout { request: describe.to_owned(), limit }),
    }
}

/// `Get "http://127.0.0.1:8500/v1/agent/self"`. The path holds no secrets: tokens travel in a header.
fn describe(method: &Method, base: &str, path: &str, client: &Client) -> String {
    let name = method.as_str();
    let (first, rest) = name.split_at_checked(1).unwrap_or((name, ""));
    let path = path.strip_prefix(client.resolved().address.prefix()).unwrap_or(path);
    format!("{first}{} \"{base}{path}\"", rest.to_ascii_lowercase())
}

fn sensitive(text: &str, what: &'static str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ClientError::Parameter(what))?;
    value.set_sensitive(true);
    Ok(value)
}
